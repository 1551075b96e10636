"""From machines in the database to SSH targets in memory. The one place of the flows where SSH secrets are opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.core.errors import Text, Unprocessable
from autorke.core.redact import Secrets
from autorke.credentials import service as credentials
from autorke.credentials.kinds import Kind
from autorke.drivers.base import SshTarget
from autorke.machines import service as machines
from autorke.machines.models import Machine
from autorke.users.access import Actor


class NoCredential(Unprocessable):
    code = "machine-without-credential"
    text = Text(zh="机器 {name} 没有登录凭据", en="Machine {name} has no credential to log in with")
    remedy = Text(zh="在机器页为其指定 SSH 凭据", en="Give it an SSH credential on the machine page")


def ssh_targets(
    session: Session,
    ids: Iterable[UUID],
    *,
    purpose: str,
    secrets: Secrets,
    names: Mapping[UUID, str] | None = None,
    actor: Actor | None = None,
) -> dict[UUID, SshTarget]:
    """Targets of machines by id, bastions included. Every secret is registered for masking before it is used.

    `names` says how drivers call a machine in log lines; its host name otherwise. `actor` is who asked, None for the
    platform itself. Raises NoCredential.
    """
    made = _Targets(session, purpose, secrets, names or {}, actor)
    return {machine.id: made.target(machine) for machine in machines.get_many(session, ids)}


class _Targets:
    """Opens each credential once per call."""

    def __init__(
        self, session: Session, purpose: str, secrets: Secrets, names: Mapping[UUID, str], actor: Actor | None
    ) -> None:
        self.session = session
        self.purpose = purpose
        self.secrets = secrets
        self.names = names
        self.actor = actor
        self._opened: dict[UUID, credentials.Secret] = {}

    def target(self, machine: Machine, depth: int = 0) -> SshTarget:
        if machine.credential_id is None:
            raise NoCredential(field="credential_id", name=machine.hostname)
        secret = self._open(machine.credential_id)
        bastion = None
        if machine.bastion_machine_id is not None and depth < 3:
            bastion = self.target(machines.get(self.session, machine.bastion_machine_id), depth + 1)
        return SshTarget(
            name=self.names.get(machine.id, machine.hostname),
            address=str(machine.address),
            port=machine.ssh_port,
            user=machine.ssh_user or str(secret.public.get("user", "")),
            host_key=machine.host_key or None,
            private_key=secret.values.get("private_key"),
            password=secret.values.get("password"),
            become_password=secret.values.get("become_password"),
            bastion=bastion,
        )

    def _open(self, credential_id: UUID) -> credentials.Secret:
        if credential_id not in self._opened:
            kinds: tuple[Kind, ...] = ("ssh_key", "ssh_password")
            secret = credentials.open_secret(
                self.session, credential_id, purpose=self.purpose, actor=self.actor, kinds=kinds
            )
            for value in secret.values.values():
                self.secrets.add(value)
            self._opened[credential_id] = secret
        return self._opened[credential_id]
