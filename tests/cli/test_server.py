"""`autorke migrate` and `autorke admin …` on an installation's database."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from typer.testing import Result

from autorke.cli.app import app
from autorke.core import crypto, db
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.credentials import service as credentials
from autorke.credentials.kinds import Material
from autorke.users.models import RoleBinding, User
from autorke.workflow.models import CallbackToken, KeptSecret
from tests.cli.site import RUNNER, Person, Site
from tests.clusters.make import kubeconfig
from tests.clusters.make import text as fixture_text


def run(*words: str, typed: str = "") -> Result:
    return RUNNER.invoke(app, list(words), input=typed, env={"LC_ALL": "en_US.UTF-8"})


def roles_of(name: str) -> set[str]:
    with db.transaction() as session:
        held = select(RoleBinding.role).join(User, User.id == RoleBinding.user_id).where(User.name == name)
        return set(session.scalars(held))


def test_migrate_and_first_admin(configured_db: Engine) -> None:
    assert run("migrate").exit_code == 0
    made = run("admin", "first-admin")
    assert made.exit_code == 0
    assert len(made.stdout.strip()) >= 16
    assert roles_of("admin") == {"admin"}
    assert run("admin", "first-admin").exit_code == 1


def test_openapi_is_printed(secret_key: str) -> None:
    assert "/api/v1/tickets" in json.loads(run("admin", "openapi").stdout)["paths"]


def test_create_user(configured_db: Engine) -> None:
    made = run("admin", "create-user", "wei.zhang", "--role", "requester", "--role", "viewer", "--display-name", "张伟")
    assert made.exit_code == 0, made.output
    assert len(made.stdout.strip()) >= 16
    assert roles_of("wei.zhang") == {"requester", "viewer"}
    typed = run("admin", "create-user", "li", "--password-stdin", typed="a long pass phrase\n")
    assert typed.exit_code == 0
    assert "pass phrase" not in typed.output
    assert run("admin", "create-user", "li").exit_code == 5
    assert run("admin", "create-user", "x", "--role", "king").exit_code == 2


@pytest.mark.parametrize(
    ("name", "password", "field"), [("Bad Name", "a long pass phrase", "name"), ("ok", "s", "password")]
)
def test_create_user_keeps_the_rules_of_the_api(configured_db: Engine, name: str, password: str, field: str) -> None:
    done = run("admin", "create-user", name, "--password-stdin", typed=password + "\n")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"{field}: ")
    with db.transaction() as session:
        assert session.scalar(select(User.id)) is None


@pytest.mark.parametrize("words", [("admin", "create-user", "x"), ("admin", "rotate-keys"), ("migrate",)])
def test_without_a_database_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.delenv("AUTORKE_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    done = run(*words)
    get_settings.cache_clear()
    assert done.exit_code == 2
    assert "AUTORKE_DATABASE_URL" in done.stderr


def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_DATABASE_URL", "postgresql+psycopg://u:s3cret@127.0.0.1:1/x")
    get_settings.cache_clear()
    done = run("migrate")
    get_settings.cache_clear()
    assert done.exit_code == 6
    assert "PostgreSQL is not available" in done.stderr
    assert "s3cret" not in done.output


def _engine_secrets(ticket_id: UUID) -> None:
    """What running tickets keep, sealed under the key of now."""
    with db.transaction() as session:
        step, attempt = session.execute(
            text("select s.id, a.id from step s join step_attempt a on a.step_id = s.id where s.ticket_id = :t"),
            {"t": ticket_id},
        ).first() or (None, None)
        kept_id, token_id = new_id(), new_id()
        kept = crypto.seal(b"kept", object_id=kept_id, version=1)
        session.add(KeptSecret(id=kept_id, ticket_id=ticket_id, key="k", envelope=kept))
        token = CallbackToken(id=token_id, step_id=step, attempt_id=attempt, token_sha256="x", purpose="p")
        token.hmac_envelope = crypto.seal(b"hmac", object_id=token_id, version=1)
        token.allowed_from, token.expires_at = [], db.db_now(session)
        session.add(token)


def test_rotate_keys_leaves_nothing_under_the_old_key(
    site: Site, admin: Person, tmp_path: Path, secret_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials, config and state revisions, and what running tickets keep: all open with the new key alone."""
    for name, body in (("yml", fixture_text("cluster.yml")), ("state", fixture_text("cluster.rkestate"))):
        (tmp_path / name).write_text(body)
    (tmp_path / "kube").write_text(kubeconfig())
    paths = {"--config": "yml", "--state": "state", "--kubeconfig": "kube"}
    admin.ok(
        "cluster", "import", "a", *(word for option, name in paths.items() for word in (option, str(tmp_path / name)))
    )
    with db.transaction() as session:
        material = Material({}, {"token": "t0p"})
        credential = credentials.create(session, actor=None, name="t", note="", kind="token", material=material).id
    _engine_secrets(site.toy(admin))
    fresh, keys = crypto.new_key(), tmp_path / "keys"
    monkeypatch.setenv("AUTORKE_SECRET_KEY_FILE", str(keys))
    keys.write_text(f"{fresh}\n{secret_key}\n")
    get_settings.cache_clear()
    assert "6 secrets were put" in run("admin", "rotate-keys").stderr
    assert "0 secrets were put" in run("admin", "rotate-keys").stderr
    keys.write_text(fresh + "\n")
    with db.transaction() as session:
        assert credentials.open_secret(session, credential, purpose="test", actor=None).values == {"token": "t0p"}
        kept = session.scalars(select(KeptSecret)).one()
        assert crypto.unseal(kept.envelope, object_id=kept.id, version=1) == b"kept"
        token = session.scalars(select(CallbackToken)).one()
        assert crypto.unseal(token.hmac_envelope, object_id=token.id, version=1) == b"hmac"
    shown = admin.ok("cluster", "revisions", "a", "--show", "1", "--kind", "state")
    assert "desiredState" in shown.stdout
