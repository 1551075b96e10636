"""Whose logins a look at a cluster opens: a step that logs in to nobody opens none, in a cluster of any size."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from autorke.clusters import importing
from autorke.core.db import transaction
from autorke.core.redact import Secrets
from autorke.credentials import service as credentials
from autorke.credentials.kinds import SshPassword
from autorke.flows import cluster_view
from autorke.flows.cluster_view import Logins
from autorke.users.models import User
from tests.api import secret_key
from tests.clusters import make
from tests.machines.make import HOST_KEY, machine

__all__ = ["secret_key"]

pytestmark = pytest.mark.usefixtures("configured_db", "secret_key")
CONTROL, *WORKERS = make.ADDRESSES


@pytest.mark.parametrize(("logins", "expected"), [("none", set()), ("control", {CONTROL}), ("sample", {*WORKERS})])
def test_only_the_logins_that_are_wanted_are_opened(logins: Logins, expected: set[str]) -> None:
    wei = make.actor()
    with transaction() as session:
        session.add(User(id=wei.user_id, name="wei", display_name="wei"))
        session.flush()
        word = SshPassword(kind="ssh_password", user="ops", password=SecretStr("correct horse battery"))
        key = credentials.create(
            session, actor=wei, name="fleet", note="", kind="ssh_password", material=word.material()
        )
        for address in make.ADDRESSES:
            machine(session, address=address, credential_id=key.id, host_key=HOST_KEY)
        cluster = importing.import_cluster(session, actor=wei, name="alpha", files=make.files(), fields={})
        secrets = Secrets()
        view = cluster_view.load(session, cluster.id, purpose="test", secrets=secrets, logins=logins)
    assert set(view.reachable) == expected
    assert (secrets.mask("correct horse battery") == "correct horse battery") is not bool(expected)
    assert view.kubeconfig
