"""Tickets for machines that no other test has touched: a failed change leaves its traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.story.people import Person, until

PLAIN = {"docker": False, "kernel": False, "gpu": False}


@dataclass
class Desk:
    """Who opens tickets here, and the machines that are left."""

    requester: Person
    cluster: dict[str, Any]
    fresh: list[str]

    def submit(self, count: int) -> dict[str, Any]:
        """A new ticket; `names` are its machines."""
        names = [self.fresh.pop() for _ in range(count)]
        found = self.requester.post("/machines/find", {"keys": names})["matches"]
        request = {
            "cluster_id": self.cluster["id"],
            "machines": [{"machine_id": one["machine"]["id"]} for one in found],
            "labels": {"pool": "blue"},
            "initialise": PLAIN,
            "batches": {"canary": 0},
        }
        made: dict[str, Any] = self.requester.post("/tickets", {"flow": "add_workers", "request": request})
        return {**made, "names": names}

    def leave_nothing(self) -> None:
        end_all(self.requester)


def end_all(requester: Person) -> None:
    """A ticket that is still open would keep its machines and the cluster's lock from the tests after it: what runs is
    cancelled at its next safe point, so it is asked for until nothing is left."""

    def over() -> bool:
        left = requester.get("/tickets?filter=ended_at:null:true")["items"]
        for ticket in left:
            for action in ("close", "cancel") if ticket["state"] == "ATTENTION" else ("cancel",):
                requester.http.post(f"/tickets/{ticket['id']}/{action}", json={"reason": "made by a test"})
        return not left

    until(over, 120, "every ticket has ended")
