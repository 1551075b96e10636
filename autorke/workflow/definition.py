"""What a flow is: steps in execution order, each with functions that plan, run, observe and probe.

A flow is one file in `autorke/flows`. Its static part is data: hashed, stored in every ticket as a snapshot, and
checked against a golden file, so that a released version never changes under a running ticket (engine.md §3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from autorke.core.canonical import sha256_hex
from autorke.core.errors import AutoRkeError, Text
from autorke.workflow.states import NodeState

if TYPE_CHECKING:
    from autorke.workflow.context import Context
    from autorke.workflow.proposal import Asking, Change, Proposal

P = TypeVar("P", bound=BaseModel)


class Effect(str, Enum):
    """What running the step twice would mean; decides gates and what happens after a lost runner."""

    READ_ONLY = "READ_ONLY"
    CONVERGENT = "CONVERGENT"
    KEYED = "KEYED"  # remote system de-duplicates by our idempotency key
    DANGEROUS = "DANGEROUS"


class Unit(str, Enum):
    TICKET = "TICKET"  # run once
    NODE = "NODE"  # run for each node, in parallel within a batch
    BATCH = "BATCH"  # one call for each batch of nodes


class Cancel(str, Enum):
    SAFE_POINT = "SAFE_POINT"  # nodes that have begun finish; no new one starts
    NOT_CANCELLABLE = "NOT_CANCELLABLE"


class Policy(str, Enum):
    STRICT = "strict"
    STANDARD = "standard"
    EXPRESS = "express"


@dataclass(frozen=True)
class Node:
    """One target of a ticket, frozen at submit. `data` is the flow's own JSON about it."""

    id: str
    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """A finding that blocks (or warns about) a plan; `node` is None when it concerns the whole ticket."""

    code: str
    seen: Text
    remedy: Text
    node: str | None = None
    blocking: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "node": self.node,
            "seen": self.seen.as_json(),
            "remedy": self.remedy.as_json(),
            "blocking": self.blocking,
        }


@dataclass(frozen=True)
class Plan:
    """What a person approves. `body` is JSON without floats; `fingerprint` is the observed state it rests on."""

    body: dict[str, Any]
    fingerprint: dict[str, Any] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@dataclass(frozen=True)
class Outcome:
    """How one node (or the whole step) ended, with a short text and evidence for the person who confirms it."""

    state: NodeState
    summary: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @classmethod
    def ok(cls, summary: str = "", **evidence: Any) -> Outcome:
        return cls(NodeState.SUCCEEDED, summary, evidence)

    @classmethod
    def of_error(cls, error: AutoRkeError) -> Outcome:
        """FAILED, UNREACHABLE or UNKNOWN, by what the error says of itself."""
        state = NodeState.FAILED
        if getattr(error, "maybe_done", False):
            state = NodeState.UNKNOWN
        elif getattr(error, "unreachable", False):
            state = NodeState.UNREACHABLE
        return cls(state, error.message.en, {}, error.as_json())


PlanFn = Callable[["Context"], Plan]
ObserveFn = Callable[["Context"], dict[str, Any]]


@dataclass
class Step:
    """One step. `together` runs all nodes as one batch, whatever the ticket's batch plan says.

    `major` rises when the functions' meaning changes; old majors stay while tickets refer to them.
    """

    key: str
    title: Text
    does: Text
    effect: Effect
    unit: Unit
    timeout: timedelta
    cancel: Cancel = Cancel.SAFE_POINT
    major: int = 1
    wait_callback: timedelta | None = None
    permission: str = "ticket:approve"
    quorum: int = 1
    together: bool = False
    plan_fn: PlanFn | None = None
    run_fn: Callable[..., Any] | None = None
    observe_fn: ObserveFn | None = None
    probe_fn: Callable[..., Outcome] | None = None
    skip_fn: Callable[[Any], Text | None] | None = None

    def plan(self, fn: PlanFn) -> PlanFn:
        """Register the read-only function that makes the plan a person approves."""
        self.plan_fn = fn
        return fn

    def run(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Register what the step does: `(ctx)`, `(ctx, node)` or `(ctx, nodes)` by its unit. It asks, then acts."""
        self.run_fn = fn
        return fn

    def observe(self, fn: ObserveFn) -> ObserveFn:
        """Register the read that is compared with the plan's fingerprint just before the step acts."""
        self.observe_fn = fn
        return fn

    def probe(self, fn: Callable[..., Outcome]) -> Callable[..., Outcome]:
        """Register the read-only look at a node after its runner was lost."""
        self.probe_fn = fn
        return fn

    def skip_when(self, fn: Callable[[Any], Text | None]) -> Callable[[Any], Text | None]:
        """Register the rule that skips the step, with the reason people see; decided at submit."""
        self.skip_fn = fn
        return fn

    def snapshot(self, flow: str) -> dict[str, Any]:
        return {
            "key": self.key,
            "title": self.title.as_json(),
            "does": self.does.as_json(),
            "effect": self.effect.value,
            "unit": self.unit.value,
            "cancel": self.cancel.value,
            "timeout_s": int(self.timeout.total_seconds()),
            "wait_callback_s": int(self.wait_callback.total_seconds()) if self.wait_callback else None,
            "permission": self.permission,
            "quorum": self.quorum,
            "handler": f"{flow}.{self.key}@{self.major}",
        }


@dataclass(frozen=True)
class Accepted(Generic[P]):
    """What `accept` hands to the engine: the frozen parameters, the targets, and the locks to hold."""

    params: P
    nodes: Sequence[Node]
    locks: Sequence[tuple[str, str]]
    scope_id: str | None
    policy: Policy = Policy.STRICT
    summary: str = ""


AcceptFn = Callable[[Session, Any, str, str], Accepted[Any]]
ReleaseFn = Callable[[Session, str, Sequence[Node], bool], None]
ProposeFn = Callable[[Session, Any, Any], "Proposal"]
ShowFn = Callable[[Session, Any, "Proposal"], "Change"]
ExamineFn = Callable[[Any, "Proposal", "Asking"], None]


@dataclass
class Flow:
    """A named, versioned list of steps. `request` is what the wizard sends, `params` what the ticket freezes."""

    name: str
    version: int
    title: Text
    request: type[BaseModel]
    params: type[BaseModel]
    steps: list[Step] = field(default_factory=list)
    accept_fn: AcceptFn | None = None
    release_fn: ReleaseFn | None = None
    propose_fn: ProposeFn | None = None
    show_fn: ShowFn | None = None
    examine_fn: ExamineFn | None = None

    def accept(self, fn: AcceptFn) -> AcceptFn:
        """Register `(session, request, requester_id, ticket_id) -> Accepted`, run inside the submit transaction."""
        self.accept_fn = fn
        return fn

    def release(self, fn: ReleaseFn) -> ReleaseFn:
        """Register `(session, ticket_id, nodes, succeeded)`, run in the transaction that ends the ticket."""
        self.release_fn = fn
        return fn

    def propose(self, fn: ProposeFn) -> ProposeFn:
        """Register `(session, request, actor) -> Proposal`: what a submit would freeze and refuse; writes nothing."""
        self.propose_fn = fn
        return fn

    def show(self, fn: ShowFn) -> ShowFn:
        """Register `(session, request, proposal) -> Change`: what the ticket would change, from our own records."""
        self.show_fn = fn
        return fn

    def examine(self, fn: ExamineFn) -> ExamineFn:
        """Register `(request, proposal, asking)`: the checks of the flow on the eligible targets, reads only."""
        self.examine_fn = fn
        return fn

    def step(
        self,
        key: str,
        *,
        title: Text,
        does: Text,
        effect: Effect,
        unit: Unit,
        timeout: timedelta,
        cancel: Cancel = Cancel.SAFE_POINT,
        major: int = 1,
        wait_callback: timedelta | None = None,
        permission: str = "ticket:approve",
        quorum: int = 1,
        together: bool = False,
    ) -> Step:
        """Add the next step; steps run in the order of these calls."""
        made = Step(key, title, does, effect, unit, timeout, cancel, major, wait_callback, permission, quorum, together)
        if any(step.key == key for step in self.steps):
            raise ValueError(f"step {key} stands twice in flow {self.name}")
        self.steps.append(made)
        return made

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title.as_json(),
            "steps": [step.snapshot(self.name) for step in self.steps],
        }

    @property
    def hash(self) -> str:
        return sha256_hex(self.snapshot())


_flows: dict[str, Flow] = {}
_handlers: dict[str, tuple[Flow, Step]] = {}


def register(flow: Flow) -> Flow:
    """Make a flow known to this process; called at the end of its file."""
    _flows[flow.name] = flow
    for step in flow.steps:
        _handlers[f"{flow.name}.{step.key}@{step.major}"] = (flow, step)
    return flow


def find_flow(name: str) -> Flow | None:
    return _flows.get(name)


def find_handler(handler: str) -> tuple[Flow, Step] | None:
    """The step a snapshot's handler name means, or None in a process that does not carry that major."""
    return _handlers.get(handler)


def flows() -> Iterable[Flow]:
    return list(_flows.values())


def handlers() -> list[str]:
    """Every handler name this process can run; a claim asks for one of them (P17)."""
    return sorted(_handlers)
