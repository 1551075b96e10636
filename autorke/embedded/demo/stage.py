"""What the people of the history do to a ticket, and what goes wrong outside while they do it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from autorke.embedded.demo.people import Person
from autorke.embedded.errors import SeedFailed

log = logging.getLogger(__name__)
Ticket = dict[str, Any]
LOOK_EVERY = 0.4
PATIENCE = 900.0
"""Seconds for one ticket; a busy machine is slow, and nobody waits for this."""


class Stuck(Exception):
    """A ticket did not come to where the story wanted it."""


@dataclass(frozen=True)
class Outside:
    """The switch of the simulated outside (`/break` of its control API)."""

    client: httpx.Client

    def break_(self, machine: str, kind: str) -> None:
        """What is broken already stays so: the history may be told on after a stop."""
        self._send("POST", f"/break/{machine}/{kind}", accepted={200, 409})

    def mend(self, machine: str) -> None:
        self._send("DELETE", f"/break/{machine}", accepted={200})

    def _send(self, method: str, path: str, accepted: set[int]) -> None:
        answer = self.client.request(method, path, headers={"X-Sim": "1"})
        if answer.status_code not in accepted:
            raise SeedFailed(where=f"{method} {path}", answer=answer.status_code, reason=answer.text[:500])


@dataclass(frozen=True)
class Stage:
    """The people of one ticket's story. Every verb may be said again after a stop in the middle."""

    requester: Person
    approver: Person
    admin: Person
    outside: Outside

    def machines(self, names: Sequence[str]) -> dict[str, str]:
        """Host name to machine id, of those that the fleet has."""
        found = self.requester.post("/machines/find", keys=list(names))["matches"]
        return {match["machine"]["hostname"]: match["machine"]["id"] for match in found}

    def submit(self, key: str, cluster: str, names: Sequence[str], settings: Mapping[str, Any]) -> str | None:
        """The ticket of a chapter, the same one however often it is asked for; None without its cluster or machines."""
        clusters = self.requester.get("/clusters", filter=f"name:eq:{cluster}")["items"]
        machines = self.machines(names)
        if not clusters or not machines:
            return None
        request = {
            "cluster_id": clusters[0]["id"],
            "machines": [{"machine_id": machines[name]} for name in names if name in machines],
            **settings,
        }
        made = self.requester.post("/tickets", once=f"demo {key}", flow="add_workers", request=request)
        return str(made["id"])

    def look(self, ticket_id: str) -> Ticket:
        found: Ticket = self.requester.get(f"/tickets/{ticket_id}")
        return found

    def wait(self, ticket_id: str, until: Callable[[Ticket], bool], *, sign: str | None = None) -> Ticket:
        """Until the ticket is as wanted, or has ended. With `sign`, gates that open are approved with that comment.

        An attempt that a stop of the demo has torn is resolved and repeated, as a person would. Raises Stuck.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ticket = self.look(ticket_id)
            if until(ticket) or ticket["ended_at"] is not None:
                return ticket
            if ticket["state"] == "ATTENTION":
                self._mend_torn(ticket)
            elif sign is not None:
                self._sign(ticket, sign)
            time.sleep(LOOK_EVERY)
        raise Stuck(f"ticket {ticket['number']} is {ticket['state']}: {states(ticket)}")

    def _sign(self, ticket: Ticket, comment: str) -> None:
        gates = open_gates(ticket)
        if gates:
            self._try(lambda: self._decide(ticket["id"], gates, "approve", comment))

    def _decide(self, ticket_id: str, gates: list[dict[str, str]], decision: str, comment: str) -> None:
        self.approver.post(f"/tickets/{ticket_id}/decisions", gates=gates, decision=decision, comment=comment)

    def reject(self, ticket_id: str, comment: str) -> None:
        """Reject the gate that is open."""
        ticket = self.wait(ticket_id, lambda seen: bool(open_gates(seen)))
        if ticket["ended_at"] is None:
            self._decide(ticket_id, open_gates(ticket)[:1], "reject", comment)

    def retry(self, ticket_id: str, step: str) -> None:
        self.requester.post(f"/tickets/{ticket_id}/retry", step=step)

    def exclude(self, ticket_id: str, names: Sequence[str], reason: str) -> None:
        ids = [row["node_id"] for row in self.nodes(ticket_id) if row["name"] in names]
        self.requester.post(f"/tickets/{ticket_id}/exclude", nodes=ids, reason=reason)

    def cancel(self, ticket_id: str, reason: str) -> None:
        self.requester.post(f"/tickets/{ticket_id}/cancel", reason=reason)

    def give_up(self, ticket_id: str, reason: str) -> None:
        self.requester.post(f"/tickets/{ticket_id}/close", reason=reason)

    def set_aside(self, name: str, reason: str) -> None:
        """An admin takes a machine out of use."""
        machine = self.machines([name]).get(name)
        if machine is not None:
            self._try(partial(self.admin.post, f"/machines/{machine}/state", state="fault", reason=reason))

    def nodes(self, ticket_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.requester.get(f"/tickets/{ticket_id}/nodes")
        return found

    def resolve(self, ticket: Ticket, reason: str) -> None:
        """Say of every unknown node that it is not done."""
        for step in ticket["steps"]:
            for attempt in step["attempts"]:
                if attempt["state"] == "UNKNOWN" and attempt["death_proof"]:
                    unknown = self._unknown_nodes(ticket["id"], step["key"], attempt["n"])
                    path = f"/tickets/{ticket['id']}/attempts/{attempt['id']}/resolution"
                    self._try(partial(self.approver.post, path, verdicts=dict.fromkeys(unknown, False), reason=reason))

    def _unknown_nodes(self, ticket_id: str, step: str, n: int) -> list[str]:
        found = []
        for row in self.nodes(ticket_id):
            states = [one["state"] for one in row["results"] if (one["step"], one["attempt_n"]) == (step, n)]
            found += [row["node_id"]] if states == ["UNKNOWN"] else []
        return found

    def _mend_torn(self, ticket: Ticket) -> None:
        """Somebody stopped the demo while a runner worked: say that it is not done, and let it be done again."""
        self.resolve(ticket, "the demo was stopped meanwhile; a retry completes it")
        for step in ticket["steps"]:
            if step["state"] in {"FAILED", "PARTIAL", "PLAN_FAILED"}:
                self._try(partial(self.retry, ticket["id"], step["key"]))

    @staticmethod
    def _try(act: Callable[[], object]) -> None:
        """Somebody else may have done it first (a visitor has the same logins): the next look shows what is left."""
        try:
            act()
        except SeedFailed as refused:
            log.info("refused, looking again: %s", refused)


def states(ticket: Ticket) -> dict[str, str]:
    """Step to its state."""
    return {step["key"]: step["state"] for step in ticket["steps"]}


def stands(step: str, *wanted: str) -> Callable[[Ticket], bool]:
    """Whether a step is in one of these states."""
    return lambda ticket: states(ticket)[step] in wanted


def open_gates(ticket: Ticket) -> list[dict[str, str]]:
    """The gates that are open, each with the hash of what an approver has read."""
    return [
        {"gate_id": gate["id"], "subject_hash": gate["subject_hash"]}
        for step in ticket["steps"]
        for gate in step["gates"]
        if gate["state"] == "OPEN"
    ]


def ended(_ticket: Ticket) -> bool:
    """For `wait`: only an end ends it."""
    return False
