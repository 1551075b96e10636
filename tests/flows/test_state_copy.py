"""The copy of the state inside the cluster: one that our own cut off write left behind is told from a stranger's."""

from __future__ import annotations

import pytest

from autorke.checks.context import ClusterContext
from autorke.clusters import importing
from autorke.configs import service as configs
from autorke.configs.models import Reason, StateRevision
from autorke.core.db import transaction
from autorke.flows import cluster_view
from autorke.flows.cluster_view import LiveView
from autorke.users.models import User
from tests.api import secret_key
from tests.clusters import make

__all__ = ["secret_key"]

pytestmark = pytest.mark.usefixtures("configured_db", "secret_key")


def context(reason: Reason) -> tuple[ClusterContext, ClusterContext]:
    """A cluster whose newest state was made by this reason, looked at with the copy before it and with a stranger's."""
    wei = make.actor()
    with transaction() as session:
        session.add(User(id=wei.user_id, name="wei", display_name="wei"))
        session.flush()
        cluster = importing.import_cluster(session, actor=wei, name="alpha", files=make.files(), fields={})
        cluster_id = cluster.id
        first = configs.current(session, StateRevision, cluster_id)
        imported = configs.open_text(first)
        newer = imported.replace('"currentState"', '"desiredState0": null, "currentState"', 1)
        configs.add_state(
            session, cluster_id=cluster_id, content=newer, reason=reason, created_by="ticket 1",
            expected_nodes=first.node_addresses, ca_fingerprint=cluster.ca_fingerprint, parent=first.number,
        )  # fmt: skip
    with transaction() as session:
        view, nodes = cluster_view.recorded(session, cluster_id), cluster_view.serving(session, cluster_id)
    assert not cluster_view.copy_is(imported, view)
    assert cluster_view.copy_is(newer, view)
    seen = [LiveView(state_copy=copy) for copy in (imported, imported.replace("127.0.0.22", "127.0.0.99"))]
    looked = [cluster_view.check_context(view, live, nodes, initialise_follows=False) for live in seen]
    return looked[0], looked[1]


def test_the_copy_before_a_tickets_own_revision_is_known_and_a_strangers_is_not() -> None:
    behind, stranger = context(Reason.AFTER)
    assert behind.state_copy_sha256 == behind.earlier_copy_sha256 is not None
    assert stranger.earlier_copy_sha256 is None


def test_the_copy_before_an_import_is_not_ours() -> None:
    behind, _ = context(Reason.IMPORT)
    assert behind.earlier_copy_sha256 is None
