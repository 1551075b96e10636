"""`demo` and `up` as a newcomer meets them: the real product, its databases, and (for demo) the simulated fleet."""

import json
import re
import shlex
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.embedded.tree import FULL, Tree, open_directory, survivors, up

DEMO = (*FULL[:-1], "demo", "--preset", "small")
WITH_HISTORY = (*FULL[:-1], "demo", "--preset", "demo-small")
START = 300.0
PATIENCE = 60.0
HISTORY = 800.0
"""Less than the quarter of an hour that one of its tickets goes on."""
OUTCOMES = {
    "web-pool": "SUCCEEDED",
    "freeze": "REJECTED",
    "long": "ACTIVE",
    "queued": "QUEUED",
    "gpu-retry": "SUCCEEDED",
    "moved": "CANCELLED",
    "unclear": "ATTENTION",
    "power": "FAILED",
    "leftovers": "SUCCEEDED",
    "approval": "ACTIVE",
}


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as path:
        yield path


@contextmanager
def sign_in(tree: Tree, name: str, password: str) -> Iterator[httpx.Client]:
    found = re.search(r"http://127\.0\.0\.1:\d+", tree.output.split("Ready")[1])
    assert found
    with httpx.Client(base_url=f"{found[0]}/api/v1", timeout=PATIENCE, trust_env=False) as client:
        assert client.post("/session", json={"name": name, "password": password}).status_code == 200
        yield client


def logins(tree: Tree) -> dict[str, str]:
    return dict(re.findall(r"^  (\w+) +(\S{16,})  ", tree.output, re.MULTILINE))


@pytest.mark.timeout(900)
def test_the_demo_is_filled_once_and_again_only_when_asked(place: Path) -> None:
    with up(place / "data", place / "first", DEMO) as tree:
        tree.wait_for("Ready", START)
        first = logins(tree)
        assert {"admin", "requester", "approver", "network", "auditor"} <= set(first)
        tree.wait_for("fill      done", START)
        with sign_in(tree, "requester", first["requester"]) as client:
            machines = client.get("/machines", params={"total": "true"}).json()
            clusters = client.get("/clusters").json()["items"]
            nodes = client.get(f"/clusters/{clusters[0]['id']}/nodes").json()["items"]
        assert machines["total"] == 7
        assert {machine["state"] for machine in machines["items"]} == {"free", "in_cluster"}
        assert [cluster["name"] for cluster in clusters] == ["alpha"]
        assert len(nodes) == 3
        assert all(node["machine_id"] for node in nodes)
        tree.stop()
    with up(place / "data", place / "again", DEMO) as tree:
        tree.wait_for("Ready", START)
        assert "Past tickets are being made" not in tree.output
        assert logins(tree) == first
        with sign_in(tree, "requester", first["requester"]) as client:
            assert client.get("/machines", params={"total": "true"}).json()["total"] == 7
        tree.stop()
    with up(place / "data", place / "fresh", (*DEMO, "--fresh")) as tree:
        tree.wait_for("Ready", START)
        assert logins(tree)["admin"] != first["admin"]


@pytest.mark.timeout(600)
@pytest.mark.faults
def test_up_makes_a_first_admin_and_kill_9_leaves_nothing_of_the_product(place: Path) -> None:
    with up(place / "data", place / "out", FULL) as tree:
        tree.wait_for("Ready", START)
        password = place / "data" / "first-admin.password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert password.read_text().strip() not in tree.output
        with sign_in(tree, "admin", password.read_text().strip()) as client:
            assert client.get("/me").json()["bindings"][0]["role"] == "admin"
        everything = tree.descendants()
        assert len([name for name in everything if "celery" in name]) >= 2
        tree.process.send_signal(signal.SIGKILL)
        tree.process.wait()
        assert survivors(everything) == []


def tickets_of(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """By summary and number, each with its steps."""
    listed = client.get("/tickets", params={"limit": 100}).json()["items"]
    return {row["id"]: client.get(f"/tickets/{row['id']}").json() for row in listed}


def end_of(ticket: dict[str, Any]) -> tuple[object, ...]:
    """How it ended, and how many events it has: nothing was added since."""
    return ticket["state"], ticket["ended_at"], ticket["next_seq"]


def attempts(ticket: dict[str, Any], step: str, purpose: str = "RUN") -> list[dict[str, Any]]:
    found = next(one["attempts"] for one in ticket["steps"] if one["key"] == step)
    return [one for one in sorted(found, key=lambda one: one["n"]) if one["purpose"] == purpose]


def step_state(ticket: dict[str, Any], step: str) -> str:
    return str(next(one["state"] for one in ticket["steps"] if one["key"] == step))


@pytest.mark.timeout(2400)
def test_a_history_of_every_outcome_is_made_by_running_it_and_kept(place: Path) -> None:
    """Stopped in the middle of it: the next start keeps what was told, and tells the rest."""
    data, kept = place / "data", place / "data" / "sim-demo-small"
    with up(data, place / "first", WITH_HISTORY) as tree:
        tree.wait_for("Ready", START)
        assert "Past tickets are being made" in tree.output
        tree.wait_in(kept / "log" / "fill.log", "chapter ", HISTORY)
        first = logins(tree)
        with sign_in(tree, "approver", first["approver"]) as client:
            told = {key: end_of(ticket) for key, ticket in tickets_of(client).items() if ticket["ended_at"]}
        tree.stop()
    assert told
    with up(data, place / "second", WITH_HISTORY) as tree:
        tree.wait_for("fill      done", HISTORY)
        assert logins(tree) == first
        assert json.loads((kept / "demo-history.json").read_text()) == OUTCOMES
        with sign_in(tree, "approver", first["approver"]) as client:
            tickets = tickets_of(client)
            nodes = {key: client.get(f"/tickets/{key}/nodes").json() for key in tickets}
        assert {key: end_of(tickets[key]) for key in told} == told
        check_outcomes(tickets)
        left_out = [row["name"] for rows in nodes.values() for row in rows if row["excluded_at"]]
        assert left_out == ["bj-log-015"]
        tree.stop()


def check_outcomes(tickets: dict[str, dict[str, Any]]) -> None:
    """Every outcome is there, and each has the traces that only running leaves."""
    by_state: dict[str, list[dict[str, Any]]] = {}
    for ticket in tickets.values():
        by_state.setdefault(ticket["state"], []).append(ticket)
    assert sorted(by_state) == sorted(set(OUTCOMES.values()))
    assert len(tickets) == len(OUTCOMES)
    runs = [[one["state"] for one in attempts(ticket, "join")] for ticket in by_state["SUCCEEDED"]]
    assert ["SUCCEEDED"] in runs
    assert any(len(states) > 1 and states[-1] == "SUCCEEDED" for states in runs), "failed, retried, succeeded"
    (unclear,) = by_state["ATTENTION"]
    assert step_state(unclear, "join") == "UNKNOWN"
    assert attempts(unclear, "join", "PROBE"), "evidence for the person who decides"
    (queued,) = by_state["QUEUED"]
    holders = {waiting["ticket_id"] for waiting in queued["waiting_for"] if waiting["holds"]}
    running = [ticket for ticket in by_state["ACTIVE"] if step_state(ticket, "join") == "RUNNING"]
    assert holders == {ticket["id"] for ticket in running}
    waiting = [ticket for ticket in by_state["ACTIVE"] if step_state(ticket, "join") == "WAIT_PRE_GATE"]
    assert len(waiting) == 1


@pytest.mark.timeout(600)
def test_a_visitor_breaks_a_machine_with_the_printed_line(place: Path) -> None:
    with up(place / "data", place / "out", DEMO) as tree:
        tree.wait_for("Ready", START)
        break_line, mend_line = re.findall(r"(?:break|mend): +curl (.+)", tree.output)
        address = str(re.search(r"http://127\.0\.0\.1:\d+/break\b", tree.output)[0])  # type: ignore[index]
        machine = break_line.split("/")[-2]
        assert broken(address, machine) == []
        assert curl(break_line).json()["broken"] == ["create-fails"]
        assert broken(address, machine) == ["create-fails"]
        assert curl(mend_line).json()["broken"] == []
        assert httpx.get(address, timeout=PATIENCE, trust_env=False).text.startswith("<!doctype html>")
        tree.stop()


def curl(line: str) -> httpx.Response:
    """The printed line, as curl understands it."""
    words = shlex.split(line)
    name, value = words[words.index("-H") + 1].split(": ")
    return httpx.request(
        words[words.index("-X") + 1], words[-1], headers={name: value}, timeout=PATIENCE, trust_env=False
    )


def broken(address: str, machine: str) -> list[str]:
    found = httpx.get(f"{address}/machines", params={"q": machine}, timeout=PATIENCE, trust_env=False)
    return list(found.json()["machines"][0]["broken"])


@pytest.mark.timeout(600)
def test_data_of_another_fleet_are_refused_with_the_way_out(place: Path) -> None:
    with up(place / "data", place / "first", DEMO) as tree:
        tree.wait_for("Ready", START)
        tree.stop()
    book = place / "data" / "sim-small" / "demo-logins.json"
    book.write_text(json.dumps(json.loads(book.read_text()) | {"fleet": "0" * 64}))
    with up(place / "data", place / "again", DEMO) as tree:
        said = tree.refused(START)
        assert "other simulated machines" in said
        assert "--fresh" in said
