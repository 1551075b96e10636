"""The reference's runners: claims, begins, ends, losses, and what each does to its step."""

from __future__ import annotations

from collections.abc import Mapping

from autorke.workflow.errors import Fenced
from autorke.workflow.states import AttemptState, GateState, NodeState, Purpose, StepState, TicketState
from tests.faults.reference import MAX_LOSSES, Door, Reference, Run, Step, Ticket


class Runners(Reference):
    def claim(self, ticket: Ticket, step: Step, purpose: Purpose) -> bool:
        run = step.live.get(purpose)
        probe = purpose is Purpose.PROBE
        resting = probe and ticket.state in (TicketState.ATTENTION, TicketState.PAUSED)
        if run is None or run.state is not AttemptState.READY or not run.newest or self.halted:
            return False
        if ticket.cancel_requested_at or (ticket.pause_requested_at and not probe):
            return False
        if ticket.state is not TicketState.ACTIVE and not resting:
            return False
        run.state = AttemptState.CLAIMED
        return True

    def begin(self, ticket: Ticket, step: Step, run: Run, *, drifted: bool = False) -> bool:
        """False: given up without effect. Raises Fenced."""
        if step.live.get(run.purpose) is not run or run.state is not AttemptState.CLAIMED:
            raise Fenced()
        expected = {Purpose.PLAN: StepState.PLANNING, Purpose.RUN: StepState.READY, Purpose.PROBE: StepState.UNKNOWN}
        if step.state is not expected[run.purpose] or ticket.cancel_requested_at:
            self.drop(step, run)
            self.advance(ticket)
            return False
        if run.purpose is not Purpose.PROBE and (ticket.pause_requested_at or self.halted):
            self.drop(step, run)
            self.create(step, run.purpose, run.nodes)
            return False
        if run.purpose is Purpose.RUN and not self._still_approved(ticket, step, run, drifted=drifted):
            self.advance(ticket)
            return False
        if run.lease_over:
            raise Fenced()
        run.state = AttemptState.RUNNING
        if run.purpose is Purpose.RUN:
            self.move(step, StepState.RUNNING)
            step.begun = True
        return True

    def _still_approved(self, ticket: Ticket, step: Step, run: Run, *, drifted: bool) -> bool:
        door = step.doors.get("PRE")
        if step.pre_gate and (door is None or door.state is not GateState.APPROVED or not self.quorum_met(door)):
            assert door is not None, "a step is READY without a gate"
            self.drop(step, run)
            self.move(step, StepState.WAIT_PRE_GATE)
            door.state = GateState.OPEN
            return False
        if drifted and not step.kind.whole:  # only the step of nodes observes
            self.drop(step, run)
            self.start_planning(ticket, step, step.retry_nodes)
            return False
        return True

    def start_node(self, ticket: Ticket, step: Step, run: Run, node: str) -> bool:
        if step.live.get(run.purpose) is not run or run.state is not AttemptState.RUNNING:
            raise Fenced()
        if step.last.get(node) in (NodeState.SUCCEEDED, NodeState.RUNNING):
            return False
        run.rows[node] = step.last[node] = NodeState.RUNNING
        if self.starts is not None:
            self.starts.append((self.tickets.index(ticket), step.key, node))
        return True

    def end_node(self, step: Step, run: Run, node: str, state: NodeState) -> None:
        run.rows[node] = step.last[node] = state

    # ends ----------------------------------------------------------------------------------------------------------
    def finish_plan(self, ticket: Ticket, step: Step, run: Run, *, blocked: bool) -> None:
        step.planned = run.nodes
        self.drop(step, run)
        self.move(step, StepState.PLAN_FAILED if blocked else StepState.WAIT_PRE_GATE)
        if step.pre_gate and not blocked:
            step.doors["PRE"] = Door(step.quorum)
        self.advance(ticket)

    def finish_run(self, ticket: Ticket, step: Step, run: Run) -> None:
        verdict = self.verdict(ticket, step)
        if verdict is StepState.UNKNOWN:
            run.state, run.proven = AttemptState.UNKNOWN, True
        else:
            self.drop(step, run)
        self.settle_step(ticket, step)
        if verdict is StepState.UNKNOWN:
            self.create(step, Purpose.PROBE, self.unknown(run))
        self.advance(ticket)

    def finish_probe(self, step: Step, run: Run) -> None:
        self.drop(step, run)

    @staticmethod
    def unknown(run: Run) -> tuple[str, ...]:
        return tuple(sorted(node for node, state in run.rows.items() if state is NodeState.UNKNOWN))

    def work(
        self,
        ticket: Ticket,
        step: Step,
        run: Run,
        *,
        drifted: bool = False,
        blocked: bool = False,
        ends: Mapping[str, NodeState] | None = None,
    ) -> None:
        """One runner from its begin to its end; `ends` says how each node of a run ended, or that it was not begun."""
        if not self.begin(ticket, step, run, drifted=drifted):
            return
        if run.purpose is Purpose.PLAN:
            self.finish_plan(ticket, step, run, blocked=blocked)
        elif run.purpose is Purpose.PROBE:
            self.finish_probe(step, run)
        else:
            for node, state in (ends or {}).items():
                if state in (NodeState.NOT_STARTED, NodeState.CANCELLED):
                    run.rows[node] = step.last[node] = state
                elif self.start_node(ticket, step, run, node):
                    self.end_node(step, run, node, state)
            self.finish_run(ticket, step, run)

    # losses --------------------------------------------------------------------------------------------------------
    def judge(self, ticket: Ticket, step: Step, run: Run, *, proven: bool) -> None:
        """The reconciler on a runner whose lease is long over."""
        if run.state is AttemptState.CLAIMED or run.purpose is not Purpose.RUN:
            self._again(ticket, step, run)
            return
        run.state, run.proven = AttemptState.UNKNOWN, proven
        for node, state in run.rows.items():
            if state is NodeState.RUNNING:
                run.rows[node] = step.last[node] = NodeState.UNKNOWN
        for node in run.nodes:
            if node not in run.rows:
                run.rows[node] = step.last[node] = NodeState.NOT_STARTED
        if self.unknown(run):
            self.move(step, StepState.UNKNOWN)
            self.create(step, Purpose.PROBE, self.unknown(run))
        else:
            self.drop(step, run)
            self.settle_step(ticket, step)
        self.advance(ticket)

    def _again(self, ticket: Ticket, step: Step, run: Run) -> None:
        self.drop(step, run, lost=True)
        if step.losses < MAX_LOSSES:
            self.create(step, run.purpose, run.nodes)
        elif run.purpose is Purpose.PLAN:
            self.move(step, StepState.PLAN_FAILED)
            self.advance(ticket)
        elif run.purpose is Purpose.RUN:
            self.start_planning(ticket, step, step.retry_nodes)
