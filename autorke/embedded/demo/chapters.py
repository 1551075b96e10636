"""The past of the demo, one ticket a chapter: what was asked for, what went wrong, how people dealt with it.

Chapters of one cluster follow each other, since a ticket holds its cluster; clusters go on side by side. The last
ones are left open: one waits for its approval, one for a person's verdict, one runs, one waits for that one's locks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorke.embedded.demo.stage import Stage, ended, stands

YES = "核对过机器、变更与校验，可以执行 / read the plan and the checks, go ahead"
STOPPED = ("PARTIAL", "FAILED")


@dataclass(frozen=True)
class Chapter:
    """`play` takes the stage, the ticket and the chapter's machines; `settings` is the rest of the wizard's form."""

    key: str
    cluster: str
    machines: tuple[str, ...]
    play: Callable[[Stage, str, Sequence[str]], None]
    settings: Mapping[str, Any] = field(default_factory=dict)
    requester: str = "requester"


def machines(prefix: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{prefix}-{n:03d}" for n in range(first, last + 1))


def _succeed(stage: Stage, ticket: str, _names: Sequence[str]) -> None:
    stage.wait(ticket, ended, sign=YES)


def _reject(stage: Stage, ticket: str, _names: Sequence[str]) -> None:
    stage.reject(ticket, "周五封网，请下周一再提 / change freeze until Monday, please ask again then")


def _cancel(stage: Stage, ticket: str, _names: Sequence[str]) -> None:
    seen = stage.wait(ticket, stands("validate", "WAIT_POST_GATE"), sign=YES)
    if seen["ended_at"] is None:
        stage.cancel(ticket, "训练任务改到下周 / the training job was moved to next week")
    stage.wait(ticket, ended)


def _retry(stage: Stage, ticket: str, names: Sequence[str]) -> None:
    """One machine's disk is full as its kubelet is created; it is cleaned up, and only it is retried."""
    bad = names[-1]
    stage.outside.break_(bad, "create-fails")
    seen = stage.wait(ticket, stands("join", *STOPPED), sign=YES)
    stage.outside.mend(bad)
    if seen["ended_at"] is None:
        stage.retry(ticket, "join")
    stage.wait(ticket, ended, sign=YES)


def _give_up(stage: Stage, ticket: str, names: Sequence[str]) -> None:
    """A machine loses power half-way: somebody looks, says that it is not done, and sends it to repair."""
    bad = names[0]
    stage.outside.break_(bad, "dies-half-way")
    seen = stage.wait(ticket, stands("join", "UNKNOWN", *STOPPED), sign=YES)
    if seen["ended_at"] is None:
        stage.resolve(seen, "机器已断电，kubelet 未运行 / the machine is dark, no kubelet runs there")
        seen = stage.wait(ticket, stands("join", *STOPPED))
    if seen["ended_at"] is None:
        stage.give_up(ticket, "电源故障，已报修 / power supply broken, reported to the vendor")
    stage.set_aside(bad, "power supply broken, reported to the vendor")


def _leave_out(stage: Stage, ticket: str, names: Sequence[str]) -> None:
    """The checks refuse one machine; it is left out with a reason, the others go on."""
    bad = names[-1]
    stage.outside.break_(bad, "leftovers")
    seen = stage.wait(ticket, stands("validate", *STOPPED), sign=YES)
    if seen["ended_at"] is None:
        stage.exclude(ticket, [bad], "残留旧集群数据，先清理 / data of an old cluster, to be cleaned first")
    stage.wait(ticket, ended, sign=YES)


def _unknown(stage: Stage, ticket: str, names: Sequence[str]) -> None:
    """The connection ends just after a container was created: nobody can tell, so a person must. Left so."""
    stage.outside.break_(names[0], "create-unclear")
    stage.wait(ticket, stands("join", "UNKNOWN"), sign=YES)


def _await_approval(stage: Stage, ticket: str, _names: Sequence[str]) -> None:
    """Everything is prepared; the join's plan waits for its approver."""
    stage.wait(ticket, stands("join", "WAIT_PRE_GATE"), sign=YES)


def _run_long(stage: Stage, ticket: str, names: Sequence[str]) -> None:
    """A registry far away: canary first, then two by two, for a quarter of an hour."""
    for name in names:
        stage.outside.break_(name, "pull-slow")
    stage.wait(ticket, stands("join", "RUNNING"), sign=YES)


def _queue(stage: Stage, ticket: str, _names: Sequence[str]) -> None:
    """Waits for the locks of the one that runs."""
    stage.look(ticket)


CAREFUL = {"canary": 1, "size": 2, "budget": 1}
LANES: tuple[tuple[Chapter, ...], ...] = (
    (
        Chapter("web-pool", "bj-core", machines("bj-web", 11, 13), _succeed, {"labels": {"pool": "web"}}),
        Chapter("freeze", "bj-core", machines("bj-web", 14, 15), _reject, requester="requester2"),
        Chapter("long", "bj-core", machines("bj-web", 21, 30), _run_long, {"batches": CAREFUL}),
        Chapter("queued", "bj-core", machines("bj-web", 16, 17), _queue, requester="requester2"),
    ),
    (
        Chapter("gpu-retry", "gz-ai", machines("gz-gpu", 11, 13), _retry, {"labels": {"pool": "a100"}}, "requester2"),
        Chapter("moved", "gz-ai", machines("gz-gpu", 14, 15), _cancel),
        Chapter("unclear", "gz-ai", machines("gz-gpu", 16, 17), _unknown),
    ),
    (
        Chapter("power", "bj-legacy", machines("bj-log", 11, 12), _give_up),
        Chapter("leftovers", "bj-legacy", machines("bj-log", 13, 15), _leave_out, requester="requester2"),
        Chapter("approval", "bj-legacy", machines("bj-log", 16, 18), _await_approval, {"labels": {"pool": "logs"}}),
    ),
)
