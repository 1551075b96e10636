"""The reference's people and clocks: every order, the reconciler's pass, and what the outside answers."""

from __future__ import annotations

from collections.abc import Iterable

from autorke.core.errors import InvalidTransition, NotFound
from autorke.workflow import options, signing
from autorke.workflow.definition import Effect
from autorke.workflow.errors import (
    AlreadyPaused,
    CommentNeeded,
    DeathNotProven,
    NotPaused,
    StalePlan,
    UnknownNodes,
)
from autorke.workflow.signing import Subject
from autorke.workflow.states import (
    TERMINAL_TICKET,
    AttemptState,
    GateState,
    NodeState,
    Purpose,
    StepState,
    TicketState,
)
from tests.faults.reference import REQUESTER, WHOLE, Door, Run, Signed, Step, Ticket, new_ticket
from tests.faults.reference_runs import Runners

AWAITED = (StepState.RUNNING, StepState.UNKNOWN, StepState.WAIT_CALLBACK)
ANYBODY: tuple[StepState, ...] = (StepState.WAIT_PRE_GATE, StepState.READY)


class Installation(Runners):
    """Orders raise the product's own errors; what has been changed before a refusal does not count."""

    def submit(self, nodes: Iterable[str], policy: str, *, flat: bool) -> None:
        ticket = new_ticket(nodes, policy, self.flow, self.quorum, flat=flat)
        self.tickets.append(ticket)
        self.advance(ticket)

    # decisions -----------------------------------------------------------------------------------------------------
    def open_doors(self, ticket: Ticket) -> list[tuple[Step, str]]:
        return [
            (step, phase)
            for step in ticket.steps
            for phase in ("PRE", "POST")
            if phase in step.doors and step.doors[phase].state is GateState.OPEN
        ]

    def decide(self, ticket: Ticket, who: str, *, approve: bool, comment: str = "", right_hash: bool = True) -> None:
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        for step, phase in self.open_doors(ticket):
            self._decide_one(ticket, step, phase, who, approve, comment, right_hash)
        self.advance(ticket)

    def _decide_one(
        self, ticket: Ticket, step: Step, phase: str, who: str, approve: bool, comment: str, right_hash: bool
    ) -> None:
        door = step.doors.get(phase)
        state = GateState.VOID if door is None else door.state
        decided = dict.fromkeys(door.signed if door else (), "said")
        subject = Subject(REQUESTER, None, "ticket:approve", state.value, decided)  # type: ignore[arg-type]
        answer = signing.may_sign(self.signer(who), subject)
        if door is None or state is not GateState.OPEN:
            options.refuse(answer.refusal)
            raise AssertionError("a closed gate refuses")
        if not right_hash:
            raise StalePlan(field="subject_hash", seen="", current="")
        options.refuse(answer.refusal)
        if not approve and not comment.strip():
            raise CommentNeeded(field="comment")
        door.signed[who] = Signed(approve, answer.acting_for)  # type: ignore[arg-type]
        if approve:
            if self.quorum_met(door):
                door.state = GateState.APPROVED
            return
        del step.doors[phase]
        if phase == "POST":
            self.move(step, StepState.FAILED)
            return
        self.move(step, StepState.GATE_CLOSED)
        if not self.ever_ran(ticket):
            self.end_unrun(ticket, TicketState.REJECTED)

    @staticmethod
    def ever_ran(ticket: Ticket) -> bool:
        return any(step.begun and step.kind.effect is not Effect.READ_ONLY for step in ticket.steps)

    def revoke(self, ticket: Ticket, who: str) -> None:
        """His approval at the first gate before a step that has not begun."""
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        signed = [it for it in ticket.steps if "PRE" in it.doors and who in it.doors["PRE"].signed]
        if not signed:
            raise NotFound(what="approval", key="")
        step, door = signed[0], signed[0].doors["PRE"]
        if step.state not in ANYBODY:
            raise InvalidTransition(what=f"step {step.key}", state=step.state, action="be unapproved")
        del door.signed[who]
        if Purpose.RUN in step.live:
            self.drop(step, step.live[Purpose.RUN])
            self.move(step, StepState.WAIT_PRE_GATE)
        if door.state is GateState.APPROVED and not self.quorum_met(door):
            door.state = GateState.OPEN
        self.advance(ticket)

    # operators -----------------------------------------------------------------------------------------------------
    def retry(self, ticket: Ticket, key: str) -> None:
        step = next(step for step in ticket.steps if step.key == key)
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        options.refuse(options.retry(ticket, step))  # type: ignore[arg-type]
        left = self.open_nodes(ticket, step)
        if not left:
            self.await_confirmation(step)
        else:
            for later in ticket.steps[ticket.steps.index(step) + 1 :]:
                if later.state in (StepState.PENDING, StepState.SKIPPED):
                    continue
                if Purpose.PLAN in later.live:
                    self.drop(later, later.live[Purpose.PLAN])
                later.doors.clear()
                self.move(later, StepState.PENDING)
            self.start_planning(ticket, step, left)
        self.advance(ticket)

    def exclude(self, ticket: Ticket, node: str) -> None:
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        left = [it for it in ticket.nodes if it not in ticket.excluded]
        if node not in left:
            raise UnknownNodes(field="nodes", nodes=node)
        options.refuse(options.exclude(ticket, ticket.steps, left=len(left) - 1))  # type: ignore[arg-type]
        ticket.excluded.add(node)
        step = next(step for step in ticket.steps if step.state in options.STUCK)
        if not self.open_nodes(ticket, step):
            self.await_confirmation(step)
        elif step.state in options.REPLANNABLE:
            self.start_planning(ticket, step)
        self.advance(ticket)

    def pause(self, ticket: Ticket, *, paused: bool) -> None:
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        refusal = options.pause(ticket) if paused else options.resume(ticket)  # type: ignore[arg-type]
        if isinstance(refusal, AlreadyPaused | NotPaused):
            return
        options.refuse(refusal)
        ticket.pause_requested_at = True if paused else None
        self.advance(ticket)

    def ask_cancel(self, ticket: Ticket) -> None:
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        ticket.cancel_requested_at = True
        self.advance(ticket)

    def close_failed(self, ticket: Ticket) -> None:
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        options.refuse(options.needs_stuck(ticket, ticket.steps))  # type: ignore[arg-type]
        self.end_unrun(ticket, TicketState.FAILED)

    def resolve(self, ticket: Ticket, who: str, *, done: bool, override: bool) -> None:
        """The one unknown attempt of the ticket; every unknown node gets the same verdict."""
        options.refuse(options.ended(ticket))  # type: ignore[arg-type]
        step, run = self.unknown_run(ticket)
        if not run.proven:
            if not override:
                raise DeathNotProven()
            if run.override_by is None:
                run.override_by = who
                return
            options.refuse(options.override(run, who))  # type: ignore[arg-type]
        for node in self.unknown(run):
            self.end_node(step, run, node, NodeState.SUCCEEDED if done else NodeState.FAILED)
        self.drop(step, run)
        if Purpose.PROBE in step.live:
            self.drop(step, step.live[Purpose.PROBE])
        self.settle_step(ticket, step)
        self.advance(ticket)

    @staticmethod
    def unknown_run(ticket: Ticket) -> tuple[Step, Run]:
        for step in ticket.steps:
            run = step.live.get(Purpose.RUN)
            if run is not None and run.state is AttemptState.UNKNOWN:
                return step, run
        raise NotFound(what="attempt", key="")

    # time and the outside ------------------------------------------------------------------------------------------
    def expire(self, ticket: Ticket, step: Step, phase: str) -> None:
        """An undecided gate has run out."""
        del step.doors[phase]
        if phase == "POST":
            step.doors["POST"] = Door(step.quorum)
        else:
            self.move(step, StepState.GATE_CLOSED)
            if not self.ever_ran(ticket):
                self.end_unrun(ticket, TicketState.EXPIRED)
        self.advance(ticket)

    def callback(self, ticket: Ticket, step: Step, *, late: bool) -> bool:
        """An answer by a token of its own, given in time or not; was it applied?"""
        step.late_token, step.good_token = step.late_token or late, step.good_token or not late
        if late or step.state not in AWAITED:
            return False
        step.answered = True
        if step.state is StepState.WAIT_CALLBACK:
            self.await_confirmation(step)
            self.advance(ticket)
        return True

    def waited_enough(self, step: Step) -> bool:
        return step.state is StepState.WAIT_CALLBACK and step.late_token and not step.good_token

    def expire_callback(self, ticket: Ticket, step: Step) -> None:
        if step.last.get(WHOLE) is NodeState.SUCCEEDED:
            step.last[WHOLE] = NodeState.FAILED
        self.move(step, StepState.FAILED)
        self.advance(ticket)

    def reconcile(self, *, proven: bool, silent: bool = False) -> None:
        """One pass; `silent`: every lease is over, for good. `proven`: this host can tell who is dead."""
        runs = [(t, step, run) for t in self.tickets for step in t.steps for run in list(step.live.values())]
        for ticket, step, run in runs:
            if (
                silent
                and run.state in (AttemptState.CLAIMED, AttemptState.RUNNING)
                and step.live.get(run.purpose) is run
            ):
                self.judge(ticket, step, run, proven=proven)
        for ticket in self.tickets:
            for step in ticket.steps:
                if self.waited_enough(step):
                    self.expire_callback(ticket, step)
        self.grant()
        for ticket in self.tickets:
            if ticket.state is not TicketState.QUEUED and ticket.state not in TERMINAL_TICKET:
                self.advance(ticket)
        for _, _, run in runs:
            if run.state is AttemptState.UNKNOWN and proven:
                run.proven = True
