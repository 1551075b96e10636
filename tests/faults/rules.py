"""T1: what may happen at any moment, as rules of Hypothesis, said to the reference alone or to it and the engine."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from autorke.workflow.states import NodeState
from tests.faults.memory import Behaviour, Claimed, Memory
from tests.faults.sql_side import Sql

NODES = ["a", "b", "c", "d", "e"]
APPROVERS = ["ann", "ben", "cat"]
PEOPLE = [*APPROVERS, "dan"]
"""dan may sign only for somebody who lets him."""
MOST_TICKETS = 4
BAD = (NodeState.FAILED, NodeState.UNREACHABLE, NodeState.UNKNOWN)
ORDERS = ("retry", "retry", "cancel", "pause", "resume", "exclude", "close", "revoke")
any_ticket = st.integers(0, MOST_TICKETS - 1)
bad_nodes = st.dictionaries(st.sampled_from([*NODES, "*"]), st.sampled_from(BAD), max_size=2)


class Rules(RuleBasedStateMachine):
    """One installation with a few tickets on five machines. Of two sides each rule asks both, and they must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.sql: Sql | None = None
        self.claims: list[Claimed] = []
        self.count = 0

    def both(self, what: str, *said: Any) -> Any:
        mine = getattr(self.memory, what)(*said)
        if self.sql is not None:
            theirs = getattr(self.sql, what)(*said)
            assert mine == theirs, f"{what}{said}: the engine says {theirs}, the reference {mine}"
        return mine

    # people --------------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.count < MOST_TICKETS)
    @rule(
        nodes=st.lists(st.sampled_from(NODES), min_size=1, max_size=3, unique=True),
        policy=st.sampled_from(["strict", "standard", "express"]),
        flat=st.booleans(),
        budget=st.integers(0, 1),
        size=st.integers(1, 3),
    )
    def submit(self, nodes: list[str], policy: str, flat: bool, budget: int, size: int) -> None:
        self.memory.submit(nodes, policy, flat)
        if self.sql is not None:
            self.sql.submit(nodes, policy, flat, budget, size)
        self.count += 1

    def chosen(self, number: int) -> int:
        return number % self.count

    @precondition(lambda self: self.count)
    @rule(number=any_ticket, who=st.sampled_from(PEOPLE), approve=st.integers(0, 6), right_hash=st.integers(0, 6))
    def decide(self, number: int, who: str, approve: int, right_hash: int) -> None:
        comment = "no" if approve == 0 else ""
        self.both("decide", self.chosen(number), who, approve > 1, comment, right_hash > 0)

    @precondition(lambda self: self.count)
    @rule(number=any_ticket, turns=st.integers(1, 3), bad=bad_nodes, budget=st.integers(0, 1))
    def all_work_and_sign(self, number: int, turns: int, bad: dict[str, NodeState], budget: int) -> None:
        """What mostly happens; without it few sequences come far. At its end the gates of one ticket are signed."""
        if self.memory.engine.halted:
            self.both("halt")
        for turn in range(turns):
            self.hints()
            while self.claims:
                self._run(self.claims.pop(0), Behaviour(bad if turn == turns - 1 else {}, budget))
            self._two_sign(self.chosen(number))

    @precondition(lambda self: self.count)
    @rule(number=any_ticket)
    def two_sign(self, number: int) -> None:
        self._two_sign(self.chosen(number))

    def _two_sign(self, number: int) -> None:
        for who in APPROVERS[:2]:
            self.both("decide", number, who, True, "", True)

    @precondition(lambda self: self.count)
    @rule(bad=bad_nodes, budget=st.integers(0, 1))
    def all_work(self, bad: dict[str, NodeState], budget: int) -> None:
        """Everything that waits is claimed and run; then it is up to people."""
        self.hints()
        while self.claims:
            self._run(self.claims.pop(0), Behaviour(bad, budget))

    @precondition(lambda self: self.count and self.sql is not None)
    @rule(number=any_ticket)
    def the_requester_is_refused(self, number: int) -> None:
        assert self.sql is not None
        assert self.sql.requester_is_refused(self.chosen(number)) <= {"requester-may-not-approve"}

    @precondition(lambda self: self.count)
    @rule(number=any_ticket, what=st.sampled_from(ORDERS), who=st.sampled_from(APPROVERS), node=st.sampled_from(NODES))
    def order(self, number: int, what: str, who: str, node: str) -> None:
        self.both("order", self.chosen(number), what, who, node)

    @precondition(lambda self: self.count)
    @rule(number=any_ticket, who=st.sampled_from(APPROVERS), done=st.booleans(), override=st.booleans())
    def resolve(self, number: int, who: str, done: bool, override: bool) -> None:
        self.both("resolve", self.chosen(number), who, done, override)

    @rule(
        what=st.sampled_from(["role", "delegate", "delegate", "release", "halt"]),
        giver=st.sampled_from(APPROVERS),
        taker=st.sampled_from(PEOPLE),
        quorum=st.integers(1, 2),
    )
    def administer(self, what: str, giver: str, taker: str, quorum: int) -> None:
        """A role given or taken, a delegation or its end, another release of the flow, the stop-all switch."""
        said = {"role": [giver], "delegate": [giver, taker], "release": [quorum], "halt": []}
        if what != "delegate" or giver != taker:
            self.both(what, *said[what])

    # machinery -----------------------------------------------------------------------------------------------------
    @rule()
    def hints(self) -> None:
        claims = self.memory.claim_all()
        if self.sql is not None:
            taken = sorted(self.sql.claim_all(claims))
            assert taken == sorted((it.ticket, it.step, it.purpose) for it in claims), f"{taken} for {claims}"
            assert self.sql.late_hints() == 0
        self.claims += claims

    @precondition(lambda self: self.claims)
    @rule(
        nodes=bad_nodes,
        budget=st.integers(0, 1),
        odd=st.integers(0, 9),
    )
    def run(self, nodes: dict[str, NodeState], budget: int, odd: int) -> None:
        self._run(self.claims.pop(0), Behaviour(nodes, budget, drifted=odd == 0, blocked=odd == 1))

    def _run(self, claim: Claimed, how: Behaviour) -> None:
        ends = self.sql.run(claim, how) if self.sql is not None else self.memory.ends(claim, how)
        self.memory.run(claim, how, ends)

    @precondition(lambda self: self.claims)
    @rule(count=st.integers(0, 2))
    def begin_and_die(self, count: int) -> None:
        """The runner commits its intent, starts some nodes, and is gone."""
        self.both("begin_and_die", self.claims.pop(0), count)

    @rule(proven=st.booleans())
    def runners_are_silent(self, proven: bool) -> None:
        """Every lease runs out, for good; with or without a way to prove the death. Some speak again, too late."""
        self.both("silent", proven)

    @precondition(lambda self: self.sql is not None and self.sql.begun)
    @rule()
    def lost_runners_speak(self) -> None:
        assert self.sql is not None
        self.sql.lost_runners_write_nothing()

    @rule()
    def reconcile(self) -> None:
        self.both("reconcile")

    @precondition(lambda self: self.count)
    @rule(number=any_ticket)
    def gate_expires(self, number: int) -> None:
        self.both("expire_gate", self.chosen(number))

    @precondition(lambda self: self.count)
    @rule(number=any_ticket, late=st.booleans())
    def callback(self, number: int, late: bool) -> None:
        self.both("callback", self.chosen(number), late)

    # what must hold ------------------------------------------------------------------------------------------------
    @invariant()
    def reference_holds(self) -> None:
        self.memory.check()


def search(machine: type[Rules], *, seed_: int, examples: int, steps: int) -> None:
    """As many sequences as asked for, the same ones for the same seed; raises what a rule or an invariant raised."""
    seeded: Any = seed(seed_)(type(machine.__name__, (machine,), {}))
    run_state_machine_as_test(
        seeded,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            print_blob=False,
        ),
    )
