"""Which ticket a machine is in now: the one that has reserved it, or the one whose lock holds the serving machine."""

from __future__ import annotations

from uuid import UUID

from autorke.core import db
from autorke.core.ids import new_id
from autorke.machines import service
from autorke.workflow.models import ResourceLock, Ticket
from tests.api import V1, Api
from tests.machines.test_set_routes import make, serve

URL = f"{V1}/machines"


def ticket() -> tuple[UUID, int]:
    with db.transaction() as session:
        texts = {"flow_name": "f", "flow_hash": "", "policy": "strict", "request_hash": "", "summary": ""}
        row = Ticket(flow_version=1, flow_snapshot={}, params={}, state="ACTIVE", requester_id=new_id(), **texts)
        session.add(row)
        session.flush()
        return row.id, row.number


def test_the_list_names_the_current_ticket(api: Api) -> None:
    reserved, serving, free = make(3)
    joining, joining_number = ticket()
    leaving, leaving_number = ticket()
    serve(api.cluster(), "north", serving)
    with db.transaction() as session:
        service.reserve(session, ids=[reserved], ticket_id=joining)
        session.add(ResourceLock(kind="machine", key=str(serving), ticket_id=leaving, fence=1))
    viewer = api.caller("viewer")
    rows = {UUID(row["id"]): row for row in viewer.get(URL).json()["items"]}
    shown = {key: (row["current_ticket_id"], row["ticket_number"]) for key, row in rows.items()}
    assert shown == {
        reserved: (str(joining), joining_number),
        serving: (str(leaving), leaving_number),
        free: (None, None),
    }
    assert [rows[key]["ticket_id"] for key in (reserved, serving)] == [str(joining), None]
    assert viewer.get(f"{URL}/{serving}").json()["ticket_number"] == leaving_number


def test_the_list_counts_labels_and_taints_of_the_node(api: Api) -> None:
    serving, free = make(2)
    serve(api.cluster(), "north", serving)
    viewer = api.caller("viewer")
    many = viewer.get(URL, params={"filter": "node_label_count:gt:2"}).json()["items"]
    assert [(row["id"], row["node_label_count"], row["node_taint_count"]) for row in many] == [(str(serving), 3, 1)]
    alone = viewer.get(f"{URL}/{free}").json()
    assert (alone["node_label_count"], alone["flat_network"], alone["ippool"]) == (0, "", "")
    with db.transaction() as session:
        cluster_id = service.get(session, serving).cluster_id
        assert cluster_id is not None
        service.detach(session, ids=[serving], cluster_id=cluster_id)
    assert viewer.get(f"{URL}/{serving}").json()["node_label_count"] == 0
