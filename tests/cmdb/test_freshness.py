"""What a page says about the CMDB beside a list of machines."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from autorke.cmdb.models import CmdbRun, CmdbSource
from autorke.core import db
from tests.api import V1, Api, counted
from tests.machines.test_set_routes import make, serve, touch

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/cmdb/freshness"


def source(name: str, *, ok_hours_ago: float | None, **fields: Any) -> UUID:
    with db.transaction() as session:
        now = db.db_now(session)
        ok_at = None if ok_hours_ago is None else now - timedelta(hours=ok_hours_ago)
        row = CmdbSource(name=name, config={}, last_ok_at=ok_at, **{"interval_seconds": 3_600, **fields})
        session.add(row)
        session.flush()
        return row.id


def run(source_id: UUID, outcome: str) -> None:
    with db.transaction() as session:
        now = db.db_now(session)
        ended = None if outcome in ("running", "queued") else now
        values = {"started_at": None if outcome == "queued" else now, "ended_at": ended}
        session.add(CmdbRun(source_id=source_id, requested_by="timer", outcome=outcome, **values))


def test_each_source_tells_its_last_runs_and_its_open_matters(api: Api) -> None:
    main, other = source("main", ok_hours_ago=0.5), source("branch", ok_hours_ago=3)
    for outcome in ("ok", "failed", "running", "queued"):
        run(main, outcome)
    one, two, gone, entered = make(4)
    touch(one, cmdb_source_id=main, conflict_count=2)
    touch(two, cmdb_source_id=main)
    with db.transaction() as session:
        now = db.db_now(session)
    touch(gone, cmdb_source_id=main, cmdb_vanished_at=now)
    touch(entered, conflict_count=7)
    branch, shown = api.caller("viewer").get(URL).json()
    assert (branch["name"], branch["id"], branch["overdue"]) == ("branch", str(other), True)
    assert (branch["last_outcome"], branch["running_since"], branch["machines"]) == (None, None, 0)
    assert (shown["last_outcome"], shown["overdue"]) == ("failed", False)
    assert shown["running_since"]
    assert (shown["machines"], shown["conflicts"], shown["vanished"]) == (3, 2, 1)
    assert "config" not in shown


@pytest.mark.parametrize(
    ("fields", "overdue"),
    [
        ({"ok_hours_ago": 1.9}, False),
        ({"ok_hours_ago": 2.1}, True),
        ({"ok_hours_ago": None}, False),
        ({"ok_hours_ago": 99, "interval_seconds": 0}, False),
        ({"ok_hours_ago": 99, "enabled": False}, False),
    ],
)
def test_overdue_is_two_intervals_without_a_good_sync(api: Api, fields: dict[str, Any], overdue: bool) -> None:
    source("main", **fields)
    assert api.caller("viewer").get(URL).json()[0]["overdue"] is overdue


def test_figures_keep_to_the_callers_clusters_and_to_a_fixed_number_of_statements(api: Api, engine: Any) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    sources = [source(name, ok_hours_ago=1) for name in ("a", "b", "c")]
    inside, outside = make(2)
    for one, cluster, name in ((inside, mine, "mine"), (outside, theirs, "theirs")):
        touch(one, cmdb_source_id=sources[0])
        serve(cluster, name, one)
    viewer = api.caller("viewer", cluster_id=mine)
    viewer.get(URL)
    with counted(engine) as statements:
        assert [row["machines"] for row in viewer.get(URL).json()] == [1, 0, 0]
    assert len(statements) <= BUDGETS["cmdb.freshness"], statements
