"""The story's people, over the REST API: an admin who connects things, a requester, an approver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

PASSWORD = "correct horse battery staple 9"


class Person:
    """Somebody signed in to the api; a refusal raises with the problem's text."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.name = name
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=120, trust_env=False)
        self.me = self.call("POST", "/session", json={"name": name, "password": password})
        self.http.headers["X-CSRF-Token"] = self.http.cookies["autorke_csrf"]

    def call(self, verb: str, path: str, expect: int | None = None, **more: Any) -> Any:
        answer = self.http.request(verb, path, **more)
        if expect is not None:
            assert answer.status_code == expect, answer.text
        elif answer.is_error:
            raise AssertionError(f"{verb} {path}: {answer.status_code} {answer.text}")
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.json() if is_json and answer.content else answer.content

    def get(self, path: str, **more: Any) -> Any:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Any:
        return self.call("POST", path, json=json if json is not None else {}, **more)

    # tickets -------------------------------------------------------------------------------------------------------
    def ticket(self, ticket_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/tickets/{ticket_id}")
        return found

    def open_gates(self, ticket_id: str) -> list[dict[str, Any]]:
        return gates_of(self.ticket(ticket_id))

    def sign(
        self, ticket_id: str, comment: str = "read and approved", gates: list[dict[str, Any]] | None = None
    ) -> None:
        """Approve these gates, or every open one: confirming a step and releasing the next is one decision."""
        body = {"gates": gates or self.open_gates(ticket_id), "decision": "approve", "comment": comment}
        self.post(f"/tickets/{ticket_id}/decisions", body)

    def logs(self, ticket_id: str) -> str:
        """Every log of the ticket, one after another."""
        streams = self.get(f"/tickets/{ticket_id}/logs")
        parts = [self.get(f"/tickets/{ticket_id}/logs/{stream['id']}") for stream in streams]
        return b"".join(parts).decode(errors="replace")


def gates_of(ticket: dict[str, Any]) -> list[dict[str, Any]]:
    """The open gates of a ticket as it was read, each with the hash of what is approved."""
    return [
        {"gate_id": gate["id"], "subject_hash": gate["subject_hash"]}
        for step in ticket["steps"]
        for gate in step["gates"]
        if gate["state"] == "OPEN"
    ]


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer within the time; what was waited for is in the failure."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= deadline  # asked for once more then: this process may have stood still meanwhile
        found = condition()
        if found:
            return found
        if late:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def walk(
    approver: Person, ticket_id: str, *, seconds: float = 600, stop_at: Callable[[dict[str, Any]], bool] | None = None
) -> dict[str, Any]:
    """Sign gates as they open until the ticket ends, needs a person, or `stop_at` says so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ticket = approver.ticket(ticket_id)
        if stop_at is not None and stop_at(ticket):
            return ticket
        if ticket["ended_at"] is not None or ticket["state"] == "ATTENTION":
            return ticket
        gates = gates_of(ticket)  # of the ticket that `stop_at` has seen: a gate that opened since then waits
        if gates:
            approver.sign(ticket_id, gates=gates)
        time.sleep(0.1)
    raise AssertionError(f"ticket did not end within {seconds} s: {[(s['key'], s['state']) for s in ticket['steps']]}")


def states(ticket: dict[str, Any]) -> dict[str, str]:
    return {step["key"]: step["state"] for step in ticket["steps"]}


def explain(person: Person, ticket: dict[str, Any]) -> str:
    """Why a ticket stands where it stands: for the message of a failing test."""
    lines = [f"{step['key']}: {step['state']}" for step in ticket["steps"]]
    for step in ticket["steps"]:
        found = [p for p in step["problems"] if p["blocking"]]
        lines += [f"{step['key']}: {p['node']}: {p['code']}: {p['seen']['en']}" for p in found]
        if step["result"] and "error" in step["result"]:
            lines.append(f"{step['key']}: {step['result']['error']}")
    for row in person.get(f"/tickets/{ticket['id']}/nodes"):
        lines += [f"{row['name']}: {r['step']}: {r['state']}: {r['summary']}" for r in row["results"]]
    return "\n".join([*lines, *person.logs(ticket["id"]).splitlines()[-40:]])
