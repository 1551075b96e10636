"""The engine as a small program in memory, written again from its rules: what the one on PostgreSQL is compared with.

It shares with the product what is pure there: states and arrows, `next_action`, gate policies, the rule of who may
sign, and the rules of what may be done. Everything else (attempts, gates, results, locks, what follows from what) is
written here a second time and without history: a step keeps what lives and each node's last result, so that states are
few enough to visit all (`deadends.py`). Runners are in `reference_runs.py`, orders of people in `reference_orders.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autorke.workflow.definition import Effect, Policy
from autorke.workflow.engine import StepView, next_action
from autorke.workflow.gates import gates_of
from autorke.workflow.options import holds_up_cancel
from autorke.workflow.signing import Signer, StandIn, Subject, entitled
from autorke.workflow.states import (
    CLOSED_STEP,
    NEEDS_PERSON,
    STEP_ARROWS,
    TERMINAL_TICKET,
    AttemptState,
    GateState,
    NodeState,
    Purpose,
    StepState,
    TicketState,
)

MAX_LOSSES = 3
WHOLE = "*"
REQUESTER = "requester"


@dataclass(frozen=True)
class Kind:
    """What the flow says of a step."""

    key: str
    effect: Effect
    whole: bool
    callback: bool = False


FLOW = (
    Kind("configure", Effect.READ_ONLY, True),
    Kind("change", Effect.CONVERGENT, False),
    Kind("notice", Effect.KEYED, True, callback=True),
    Kind("close", Effect.CONVERGENT, True),
)


@dataclass(slots=True)
class Run:
    """An attempt that has not ended. `newest`: no later one of its step was made; `serial`: which it is of all."""

    purpose: Purpose
    nodes: tuple[str, ...]
    state: AttemptState = AttemptState.READY
    newest: bool = True
    lease_over: bool = False
    rows: dict[str, NodeState] = field(default_factory=dict)
    proven: bool = False
    override_by: str | None = None
    serial: int = 0


@dataclass(slots=True)
class Signed:
    approve: bool
    acting_for: str | None


@dataclass(slots=True)
class Door:
    """A live gate."""

    quorum: int
    state: GateState = GateState.OPEN
    signed: dict[str, Signed] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    kind: Kind
    state: StepState
    pre_gate: bool
    post_gate: bool
    quorum: int
    live: dict[Purpose, Run] = field(default_factory=dict)
    doors: dict[str, Door] = field(default_factory=dict)
    last: dict[str, NodeState] = field(default_factory=dict)
    planned: tuple[str, ...] = ()
    retry_nodes: tuple[str, ...] | None = None
    answered: bool = False
    late_token: bool = False
    good_token: bool = False
    losses: int = 0
    lost: Purpose | None = None
    begun: bool = False

    @property
    def key(self) -> str:
        return self.kind.key


@dataclass(slots=True)
class Ticket:
    """`cancel_requested_at` and `pause_requested_at` are named as the product's rules want to read them."""

    nodes: tuple[str, ...]
    steps: list[Step]
    state: TicketState = TicketState.QUEUED
    cancel_requested_at: bool | None = None
    pause_requested_at: bool | None = None
    excluded: set[str] = field(default_factory=set)


def new_ticket(nodes: Iterable[str], policy: str, flow: Sequence[Kind], quorum: int, *, flat: bool) -> Ticket:
    """As submitted, before its locks; a step that waits for a callback is skipped unless the network is flat."""
    skipped = [kind.callback and not flat for kind in flow]
    running = [kind.effect for kind, skip in zip(flow, skipped, strict=True) if not skip]
    steps, place = [], 0
    for kind, skip in zip(flow, skipped, strict=True):
        if skip:
            steps.append(Step(kind, StepState.SKIPPED, False, False, quorum))
            continue
        pre, post = gates_of(Policy(policy), running, place)
        steps.append(Step(kind, StepState.PENDING, pre, post, quorum))
        place += 1
    return Ticket(tuple(nodes), steps)


class Reference:
    """One installation: people, tickets, locks."""

    def __init__(self, flow: Sequence[Kind] = FLOW) -> None:
        self.flow = flow
        self.quorum = 1
        self.rights: set[str] = set()
        self.stand_ins: dict[str, str] = {}  # taker → giver
        self.halted = False
        self.tickets: list[Ticket] = []
        self.starts: list[tuple[int, str, str]] | None = []  # every node ever begun: ticket, step, node
        self.serial = 0

    # locks: a ticket needs its nodes, all or none, first come first served -----------------------------------------
    def holds_locks(self, ticket: Ticket) -> bool:
        return ticket.state not in TERMINAL_TICKET and ticket.state is not TicketState.QUEUED

    def grantable(self, ticket: Ticket) -> bool:
        taken: set[str] = {node for other in self.tickets if self.holds_locks(other) for node in other.nodes}
        for other in self.tickets:
            if other is ticket:
                return not taken & set(ticket.nodes)
            if other.state is TicketState.QUEUED:
                taken |= set(other.nodes)
        raise AssertionError("unreachable: the ticket is one of ours")

    def grant(self) -> None:
        for ticket in [it for it in self.tickets if it.state is TicketState.QUEUED]:
            self.advance(ticket)

    # moving --------------------------------------------------------------------------------------------------------
    def move(self, step: Step, to: StepState) -> None:
        assert to in STEP_ARROWS[step.state], f"{step.key}: no arrow {step.state} -> {to}"
        step.state = to

    def advance(self, ticket: Ticket) -> None:
        if ticket.state in TERMINAL_TICKET:
            return
        if ticket.cancel_requested_at:
            self.cancel(ticket)
            return
        if ticket.state is TicketState.QUEUED:
            if not self.grantable(ticket):
                return
            ticket.state = TicketState.ACTIVE
        while not ticket.pause_requested_at and self.act(ticket):
            pass
        self.settle(ticket)

    def act(self, ticket: Ticket) -> bool:
        action = next_action([self.view(step) for step in ticket.steps])
        if action.verb == "wait" or ticket.state in TERMINAL_TICKET:
            return False
        if action.verb == "finish":
            self.close(ticket, TicketState.SUCCEEDED)
            return False
        step = ticket.steps[action.step]
        if action.verb == "plan":
            self.start_planning(ticket, step)
        elif action.verb == "launch":
            self.move(step, StepState.READY)
            self.create(step, Purpose.RUN, step.planned)
        else:
            self.move(step, StepState.DONE)
        return True

    def view(self, step: Step) -> StepView:
        passed = {phase: door.state is GateState.APPROVED for phase, door in step.doors.items()}
        pre = not step.pre_gate or passed.get("PRE", False)
        post = not step.post_gate or passed.get("POST", False)
        waits_pre, waits_post = step.state is StepState.WAIT_PRE_GATE, step.state is StepState.WAIT_POST_GATE
        return StepView(step.state, waits_pre and pre, waits_post and post)

    def settle(self, ticket: Ticket) -> None:
        if ticket.state in TERMINAL_TICKET or ticket.state is TicketState.QUEUED:
            return
        stuck = any(step.state in NEEDS_PERSON for step in ticket.steps)
        ticket.state = TicketState.ATTENTION if stuck else TicketState.ACTIVE
        if ticket.pause_requested_at:
            ticket.state = TicketState.PAUSED

    def cancel(self, ticket: Ticket) -> None:
        for step in ticket.steps:
            for run in list(step.live.values()):
                if holds_up_cancel(run):  # type: ignore[arg-type]
                    self.settle(ticket)
                    return
                self.drop(step, run)
        for step in ticket.steps:
            if step.state not in CLOSED_STEP and step.state is not StepState.CANCELLED:
                step.doors.clear()
                self.move(step, StepState.CANCELLED)
        self.close(ticket, TicketState.CANCELLED)

    def close(self, ticket: Ticket, state: TicketState) -> None:
        ticket.state = state

    def end_unrun(self, ticket: Ticket, state: TicketState) -> None:
        for step in ticket.steps:
            if step.live:
                self.drop(step, list(step.live.values())[-1])
            step.doors.clear()
        self.close(ticket, state)

    # steps ---------------------------------------------------------------------------------------------------------
    def wanted(self, ticket: Ticket, step: Step) -> list[str]:
        return [WHOLE] if step.kind.whole else [node for node in ticket.nodes if node not in ticket.excluded]

    def open_nodes(self, ticket: Ticket, step: Step) -> tuple[str, ...]:
        return tuple(n for n in self.wanted(ticket, step) if step.last.get(n) is not NodeState.SUCCEEDED)

    def start_planning(self, ticket: Ticket, step: Step, nodes: tuple[str, ...] | None = None) -> None:
        step.doors.clear()
        self.move(step, StepState.PLANNING)
        step.retry_nodes, step.answered = nodes, False
        self.create(step, Purpose.PLAN, self.open_nodes(ticket, step) if nodes is None else nodes)

    def create(self, step: Step, purpose: Purpose, nodes: tuple[str, ...]) -> None:
        assert purpose not in step.live, f"{step.key}: two live attempts"
        for run in step.live.values():
            run.newest = False
        self.serial += 1
        step.live[purpose] = Run(purpose, nodes, serial=self.serial)

    def drop(self, step: Step, run: Run, *, lost: bool = False) -> None:
        """An attempt ends, or is given up; in a row are only losses of the newest, each for the same purpose."""
        del step.live[run.purpose]
        if run.newest:
            before = step.losses if step.lost is run.purpose else 0
            step.losses, step.lost = (min(before + 1, MAX_LOSSES), run.purpose) if lost else (0, None)

    def verdict(self, ticket: Ticket, step: Step) -> StepState:
        states = [step.last.get(node, NodeState.NOT_STARTED) for node in self.wanted(ticket, step)]
        if NodeState.UNKNOWN in states or NodeState.RUNNING in states:
            return StepState.UNKNOWN
        good = states.count(NodeState.SUCCEEDED)
        if good == len(states):
            return StepState.WAIT_POST_GATE
        return StepState.PARTIAL if good else StepState.FAILED

    def settle_step(self, ticket: Ticket, step: Step) -> None:
        verdict = self.verdict(ticket, step)
        if verdict is not StepState.WAIT_POST_GATE:
            self.move(step, verdict)
        elif step.kind.callback and not step.answered:
            self.move(step, StepState.WAIT_CALLBACK)
        else:
            self.await_confirmation(step)

    def await_confirmation(self, step: Step) -> None:
        self.move(step, StepState.WAIT_POST_GATE)
        if step.post_gate:
            step.doors["POST"] = Door(step.quorum)

    # people --------------------------------------------------------------------------------------------------------
    def signer(self, who: str) -> Signer:
        giver = self.stand_ins.get(who)
        stands_in = (StandIn(giver, None),) if giver else ()  # type: ignore[arg-type]
        return Signer(who, lambda user, _permission, _scope: user in self.rights, stands_in)  # type: ignore[arg-type]

    def quorum_met(self, door: Door) -> bool:
        """Distinct people whose approval counts at this moment; who signs for another and that one are one."""
        subject = Subject(REQUESTER, None, "ticket:approve")  # type: ignore[arg-type]
        seen: set[str] = set()
        people = 0
        for who, said in door.signed.items():
            principal = said.acting_for or who
            if not said.approve or not entitled(self.signer(who), subject, principal):  # type: ignore[arg-type]
                continue
            people += not {who, principal} & seen
            seen |= {who, principal}
        return people >= door.quorum
