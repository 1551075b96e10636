"""Logs over the API: by line, searched, merged, downloaded; and only for those who may see their ticket."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.redact import Secrets
from autorke.tickets import logs
from autorke.workflow import logread, logstore
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Attempt, LogStream, StepRow, Ticket, TicketNode
from tests.api import V1, counted
from tests.tickets.scene import Scene

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
HOSTILE = '../../etc/\r\n"x"<script>'


@dataclass
class Desk:
    """A ticket of `scene` whose first attempt has said something."""

    scene: Scene
    id: str
    number: int
    attempt_id: UUID
    streams: dict[str | None, str]

    def get(self, path: str, client: Any = None, **query: Any) -> Any:
        return (client or self.scene.requester).get(f"{V1}/tickets/{self.id}/{path}", params=query)


@pytest.fixture
def desk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(logread, "SEARCH_SECONDS", 200.0)  # a slow machine too finds in one call what is there
    ticket = scene.submit(scene.request("f1", "f2")).json()
    one, two = scene.machines["f1"], scene.machines["f2"]
    with transaction() as session:
        query = select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id)
        attempt_id = session.scalars(query.where(StepRow.ticket_id == UUID(ticket["id"]))).one()
    with LogWriter(UUID(ticket["id"]), attempt_id, Secrets()) as writer:
        writer.line(None, "begin")
        for number in range(1, 3001):
            writer.line(one, f"ok: task {number}" if number != 1500 else "failed: Install: <script>alert(1)</script>")
        writer.line(two, "Warning: swap")
        writer.line(two, "中文 Kubelet")
    with transaction() as session:
        rows = session.execute(select(LogStream.node_id, LogStream.id).where(LogStream.attempt_id == attempt_id))
        streams = {node: str(stream_id) for node, stream_id in rows}
    names = {one: "f1", two: "f2", None: None}
    return Desk(scene, ticket["id"], ticket["number"], attempt_id, {names[node]: it for node, it in streams.items()})


def test_the_list_says_how_long_each_log_is_and_where_it_first_fails(desk: Desk) -> None:
    rows = {it["id"]: it for it in desk.get("logs").json()}
    shown = {name: (rows[key]["lines"], rows[key]["first_error_line"]) for name, key in desk.streams.items()}
    assert shown == {None: (1, None), "f1": (3000, 1500), "f2": (2, None)}
    assert {it["step"] for it in rows.values()} == {"configure"}


def test_lines_by_number(desk: Desk) -> None:
    page = desk.get(f"logs/{desk.streams['f1']}/lines", from_line=1499, count=3).json()
    assert (page["from_line"], page["total"], page["closed"]) == (1499, 3000, True)
    assert [(it["n"], it["level"], it["text"]) for it in page["lines"]] == [
        (1499, "info", "ok: task 1499"),
        (1500, "error", "failed: Install: <script>alert(1)</script>"),
        (1501, "info", "ok: task 1501"),
    ]
    assert page["lines"][0]["at"].endswith("Z")
    assert desk.get(f"logs/{desk.streams['f1']}/lines", from_line=2999, count=2000).json()["lines"][-1]["n"] == 3000
    assert desk.get(f"logs/{desk.streams['f1']}/lines", from_line=3001).json()["lines"] == []


def test_the_first_error_and_a_search(desk: Desk) -> None:
    stream = desk.streams["f1"]
    assert desk.get(f"logs/{stream}/first-error").json() == {"line": 1500, "total": 3000, "closed": True}
    assert desk.get(f"logs/{desk.streams['f2']}/first-error").json()["line"] is None
    found = desk.get(f"logs/{stream}/search", q="TASK 299").json()
    assert (found["lines"], found["next_line"]) == ([299, *range(2990, 3000)], None)
    assert desk.get(f"logs/{stream}/search", q="TASK 299", exact=True).json()["lines"] == []
    assert desk.get(f"logs/{stream}/search", level="error").json()["lines"] == [1500]
    back = desk.get(f"logs/{stream}/search", q="task 299", direction="back", limit=2).json()
    assert (back["lines"], back["next_line"]) == ([2999, 2998], 2997)
    assert desk.get(f"logs/{desk.streams['f2']}/search", q="kubelet").json()["lines"] == [2]
    assert desk.get(f"logs/{desk.streams['f2']}/search", q="中文").json()["lines"] == [2]


def test_the_merged_log_of_a_step(desk: Desk) -> None:
    seen: list[tuple[str, int]] = []
    cursor = None
    while True:
        page = desk.get("logs/merged", step="configure", **({"cursor": cursor} if cursor else {})).json()
        seen += [(it["stream_id"], it["n"]) for it in page["lines"]]
        cursor = page["next"]
        if not page["more"]:
            break
    assert len(seen) == len(set(seen)) == 3003
    last = desk.get("logs/merged", step="configure", cursor=cursor).json()
    assert (last["lines"], last["next"], last["more"]) == ([], cursor, False)
    back = desk.get("logs/merged", step="configure", direction="back").json()
    assert {"text": "中文 Kubelet", "level": "info"}.items() <= back["lines"][-1].items()
    assert desk.get("logs/merged", step="nothing").status_code == 404
    assert desk.get("logs/merged", step="configure", cursor="x").json()["code"] == "bad-log-place"


def test_a_search_over_all_nodes_of_a_step(desk: Desk) -> None:
    found = desk.get("logs/merged", step="configure", q="KUBELET").json()
    assert "中文 Kubelet" in [it["text"] for it in found["lines"]]
    none = desk.get("logs/merged", step="configure", q="KUBELET", exact=True).json()
    assert (none["lines"], none["more"]) == ([], False)
    again = desk.get("logs/merged", step="configure", q="kubelet", cursor=found["next"]).json()
    assert (again["lines"], again["more"]) == ([], False)
    error = desk.get("logs/merged", step="configure", level="error", direction="back").json()
    assert [it["n"] for it in error["lines"] if it["level"] == "error"] == [1500]


def stored(stream_id: str) -> bytes:
    with transaction() as session:
        return logstore.read(session, UUID(stream_id), 0, 10**9)


def test_a_log_as_a_file(desk: Desk) -> None:
    answer = desk.get(f"logs/{desk.streams['f1']}/file")
    assert answer.content == stored(desk.streams["f1"])
    name = f"{desk.number}-configure-01-plan-f1.log"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["cache-control"] == "no-store"


def test_all_logs_as_a_zip(desk: Desk) -> None:
    answer = desk.get("logs.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        held = {name: found.read(name) for name in found.namelist()}
    names = {node: f"{desk.number}-configure-01-plan-{node or 'all'}.log" for node in desk.streams}
    assert held == {names[node]: stored(stream_id) for node, stream_id in desk.streams.items()}


def test_a_zip_is_made_while_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a piece is held: the first bytes leave before the last log is read."""
    monkeypatch.setattr(logs, "PIECE", 2000)
    read: list[UUID] = []
    original = logs.content

    def noting(stream_id: UUID, size: int) -> Iterator[bytes]:
        read.append(stream_id)
        yield from original(stream_id, size)

    monkeypatch.setattr(logs, "content", noting)
    with transaction() as session:
        files = logs.files(session, session.get_one(Ticket, UUID(desk.id)))
    pieces = logs.archive(files)
    begun = b"".join(next(pieces) for _ in range(3))
    assert len(read) < 3
    whole = begun + b"".join(pieces)
    assert len(zipfile.ZipFile(io.BytesIO(whole)).namelist()) == 3


def test_a_hostile_node_name_gives_a_plain_file_name(desk: Desk) -> None:
    with transaction() as session:
        row = session.get_one(TicketNode, (UUID(desk.id), desk.scene.machines["f1"]))
        row.name = HOSTILE
    for path in (f"logs/{desk.streams['f1']}/file", "logs.zip"):
        answer = desk.get(path)
        assert answer.status_code == 200
        assert not set('\r\n<>/"') & set(answer.headers["content-disposition"].split('"')[1])
    with zipfile.ZipFile(io.BytesIO(desk.get("logs.zip").content)) as found:
        assert all("/" not in name and ".." not in name.removesuffix(".log")[:2] for name in found.namelist())


PATHS = ["logs", "logs.zip", "logs/merged?step=configure", *(f"logs/{{stream}}{it}" for it in (
    "", "/lines", "/search?q=ok", "/first-error", "/file",
))]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_a_log_of_a_ticket_that_he_may_not_see(desk: Desk, path: str) -> None:
    path = path.format(stream=desk.streams["f1"])
    other = desk.scene.api.caller("approver", cluster_id=desk.scene.api.cluster("south"))
    url = f"{V1}/tickets/{desk.id}/{path}"
    assert desk.scene.requester.get(url).status_code == 200
    assert other.get(url).status_code == 404
    assert desk.scene.api.caller().get(url).status_code == 403
    assert desk.scene.api.anonymous.get(url).status_code == 401


@pytest.mark.parametrize("path", [it for it in PATHS if "stream" in it])
def test_a_log_is_found_in_its_own_ticket_only(desk: Desk, path: str) -> None:
    """Somebody who may see one ticket does not read another one's log by its id."""
    other = desk.scene.submit(desk.scene.request("f3")).json()["id"]
    url = f"{V1}/tickets/{other}/{path.format(stream=desk.streams['f1'])}"
    assert desk.scene.requester.get(url).status_code == 404
    assert desk.get(path.format(stream=new_id())).status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"from_line": 0}, {"from_line": 2**63}, {"count": 0}, {"count": 2001}, {"count": "x"}, {"surprise": 1}],
    ids=str,
)
def test_bad_questions_are_refused_at_their_field(desk: Desk, query: dict[str, Any]) -> None:
    answer = desk.get(f"logs/{desk.streams['f1']}/lines", **query)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(query)))


@pytest.mark.parametrize("query", [{"q": "a\nb"}, {"q": "x" * 201}, {"level": "loud"}, {"direction": "up"}], ids=str)
def test_bad_searches_are_refused_at_their_field(desk: Desk, query: dict[str, Any]) -> None:
    answer = desk.get(f"logs/{desk.streams['f1']}/search", **query)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(query)))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("logs.lines", "logs/{stream}/lines?from_line=2500"),
        ("logs.first_error", "logs/{stream}/first-error"),
        ("logs.merged", "logs/merged?step=configure"),
        ("logs.list", "logs"),
    ],
)
def test_reading_costs_a_bounded_number_of_statements(desk: Desk, engine: Any, name: str, path: str) -> None:
    url = f"{V1}/tickets/{desk.id}/{path.format(stream=desk.streams['f1'])}"
    desk.scene.requester.get(url)
    with counted(engine) as seen:
        assert desk.scene.requester.get(url).status_code == 200
    assert len(seen) == BUDGETS[name], "\n".join(seen)
