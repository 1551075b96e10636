"""Guards of decisions: gates, quorum, four eyes, hashes, delegation, cancel and pause."""

from __future__ import annotations

from tests.faults.guards.kinds import Edit, Guard, guard

GATES = "autorke/workflow/gates.py"
SIGNING = "autorke/workflow/signing.py"
COMMANDS = "autorke/workflow/commands.py"
ENGINE = "autorke/workflow/engine.py"
OPTIONS = "autorke/workflow/options.py"
INITIAL = "migrations/versions/20261123_34d717350734_initial_tables.py"

QUORUM = "workflow/test_gates.py::test_quorum_counts_distinct_people"
ONCE = "workflow/test_gates.py::test_delegate_and_delegator_count_once"
ROLE = "workflow/test_flow.py::test_a_role_lost_before_the_start_stops_it"
STALE_HASH = "workflow/test_flow.py::test_a_stale_hash_is_refused"
REQUESTER = "workflow/test_flow.py::test_the_requester_never_approves"
DELEGATION = "workflow/test_gates.py::test_a_delegation_that_does_not_hold_here_and_now_is_none"
PASSED_ON = "workflow/test_gates.py::test_a_delegation_is_not_passed_on_and_gives_nothing_to_the_requester"
REVOKED = "workflow/test_gates.py::test_a_revoked_approval_counts_no_more_and_may_be_given_again"
TOKEN = "tickets/test_inbox.py::test_a_token_that_may_only_read_has_nothing_to_sign_and_signs_nothing"
BEGUN = "workflow/test_claims.py::test_what_was_withdrawn_after_the_claim_is_not_begun"
EXPIRED = "workflow/test_gates.py::test_an_expired_gate_ends_a_ticket_that_has_changed_nothing"
EXPIRED_LATE = "workflow/test_gates.py::test_an_expired_gate_after_a_change_asks_a_person"
RACES = "faults/test_programme.py::test_a_part_of_the_programme_finds_nothing[T9]"
STARTS = "workflow/test_claims.py::test_a_step_starts_only_when_all_before_it_are_closed"
CANCEL = "workflow/test_claims.py::test_a_running_change_is_waited_for_by_a_cancel"

QUORUMS = (
    guard(
        "gate: hash of what was shown",
        "P3",
        GATES,
        "if said.subject_hash != gate.subject_hash:",
        "if False:",
        STALE_HASH,
        RACES,
    ),
    guard("gate: quorum", "P3", GATES, "return people >= gate.quorum", "return people >= 1", QUORUM, RACES),
    guard("gate: distinct people", "P3", GATES, "people += not both & seen", "people += 1", ONCE),
    guard(
        "gate: one decision of each person",
        "P3",
        SIGNING,
        "    if signer.user_id in subject.decided:\n",
        "    if False:\n",
        QUORUM,
    ),
    guard(
        "gate: recount asks who still may",
        "P14",
        GATES,
        "if eligible(session, ticket, gate, row.approver_id, row.acting_for_id)",
        "",
        ROLE,
    ),
    guard(
        "gate: what was revoked does not count",
        "P14",
        GATES,
        "        Approval.revoked_at.is_(None),\n",
        "",
        BEGUN,
        REVOKED,
    ),
    guard(
        "gate: only approvals of this hash count",
        "P3",
        GATES,
        "        Approval.subject_hash == gate.subject_hash,\n",
        "",
        BEGUN,
    ),
    guard("gate: only approvals count", "P3", GATES, '        Approval.decision == "APPROVE",\n', "", BEGUN),
    guard(
        "gate: plan and hash belong together (foreign key)",
        "P3",
        INITIAL,
        "['plan_id', 'plan_hash'], ['plan.id', 'plan.plan_hash'], name=op.f('fk_gate_plan_id_plan_hash')",
        "['plan_id'], ['plan.id'], name=op.f('fk_gate_plan_id_plan_hash')",
        "workflow/test_claims.py::test_a_step_has_one_live_gate_of_a_kind",
    ),
    guard(
        "gate: one live gate of a kind (index)",
        "P3",
        INITIAL,
        "op.create_index('uq_gate_live', 'gate', ['step_id', 'phase'], unique=True,",
        "op.create_index('uq_gate_live', 'gate', ['step_id', 'phase'], unique=False,",
        "workflow/test_claims.py::test_a_step_has_one_live_gate_of_a_kind",
    ),
    guard(
        "gate: one refusal refuses the whole decision",
        "P4",
        COMMANDS,
        "        state = gates.decide(session, ticket, gate_id, user_id, one)\n",
        "        try:\n            state = gates.decide(session, ticket, gate_id, user_id, one)\n"
        "        except Exception:\n            continue\n",
        "workflow/test_gates.py::test_one_refused_gate_refuses_the_whole_decision",
    ),
    guard(
        "gate: a rejection has a reason",
        "P4",
        GATES,
        "if not said.approve and not said.comment.strip():",
        "if False:",
        "workflow/test_gates.py::test_a_rejection_needs_words_and_one_is_enough",
    ),
)

EYES = (
    Guard(
        "four eyes: requester (both checks)",
        "P3",
        (
            Edit(SIGNING, "if subject.requester_id in (signer.user_id, acting_for):", "if False:"),
            Edit(SIGNING, "if subject.requester_id in (signer.user_id, principal):", "if False:"),
        ),
        (REQUESTER, PASSED_ON),
    ),
    guard(
        "four eyes: nobody signs for the requester",
        "P3",
        SIGNING,
        "if subject.requester_id in (signer.user_id, acting_for):",
        "if subject.requester_id == signer.user_id:",
        PASSED_ON,
    ),
    guard(
        "delegation: begun",
        "P3",
        SIGNING,
        "Delegation.valid_from <= now, ",
        "",
        DELEGATION,
    ),
    guard("delegation: not over", "P3", SIGNING, ", Delegation.valid_to > now", "", DELEGATION),
    guard("delegation: scope", "P3", SIGNING, "return self.scope_id in (None, scope_id)", "return True", DELEGATION),
    guard(
        "delegation: not passed on",
        "P3",
        SIGNING,
        "and signer.holds(principal, subject.permission, subject.scope_id)",
        "",
        PASSED_ON,
    ),
    guard(
        "credential: what it may be used for",
        "P3",
        SIGNING,
        "if signer.within is not None and subject.permission not in signer.within:",
        "if False:",
        TOKEN,
    ),
    guard(
        "credential: what it may take back",
        "P4",
        GATES,
        "if within is not None and gate.permission not in within:",
        "if False:",
        TOKEN,
    ),
)

TIME = (
    guard(
        "gate: no decision after its time",
        "P3",
        SIGNING,
        "over = gate.state == GateState.OPEN and gate.expires_at is not None and gate.expires_at <= now",
        "over = False",
        EXPIRED,
    ),
    guard(
        "gate: no decision on a closed one",
        "P3",
        SIGNING,
        "if subject.state != GateState.OPEN:",
        "if False:",
        EXPIRED,
        RACES,
    ),
    guard(
        "gate: expiry after a change asks a person",
        "P7",
        COMMANDS,
        "    elif ever_ran(session, ticket):\n",
        "    elif False:\n",
        EXPIRED_LATE,
    ),
    guard(
        "gate: nothing is taken back from an earlier plan",
        "P4",
        COMMANDS,
        "if gate.state not in (GateState.OPEN, GateState.APPROVED):",
        "if False:",
        "workflow/test_gates.py::test_an_approval_of_an_earlier_plan_is_history_and_is_not_taken_back",
    ),
    guard(
        "gate: nothing is taken back after the start",
        "P14",
        COMMANDS,
        "if gate.phase != GatePhase.PRE or step.state not in (StepState.WAIT_PRE_GATE, StepState.READY):",
        "if False:",
        "workflow/test_refusals.py::test_an_approval_is_not_taken_back_once_its_step_has_begun",
    ),
    Guard(
        "gate: revoked before the start (claim given up, quorum recounted)",
        "P14",
        (
            Edit(
                COMMANDS,
                '        attempts.abandon(session, ticket, live, "approval revoked")\n'
                "        engine.move(session, ticket, step, StepState.WAIT_PRE_GATE)\n",
                "        pass\n",
            ),
            Edit(
                "autorke/workflow/lifecycle.py",
                "gate.state != GateState.APPROVED or not gates.quorum_met(session, ticket, gate)",
                "False",
            ),
        ),
        (REVOKED,),
    ),
    guard(
        "gate: reopened when the quorum is lost",
        "P14",
        COMMANDS,
        "if gate.state == GateState.APPROVED and not gates.quorum_met(session, ticket, gate):",
        "if False:",
        REVOKED,
        RACES,
    ),
)

ORDER = (
    guard(
        "order: a step starts when all before are closed",
        "P3",
        ENGINE,
        "and step.pre_passed and before_closed:",
        "and step.pre_passed:",
        STARTS,
    ),
    guard(
        "order: a step starts when its gate let it",
        "P3",
        ENGINE,
        "and step.pre_passed and before_closed:",
        "and before_closed:",
        STARTS,
    ),
    guard(
        "order: arrows only",
        "P7",
        ENGINE,
        "if to not in STEP_ARROWS[StepState(step.state)]:",
        "if False:",
        "workflow/test_claims.py::test_a_step_moves_along_its_arrows_only",
    ),
    guard(
        "order: a blocking problem opens no gate",
        "P3",
        "autorke/workflow/lifecycle.py",
        "if any(problem.blocking for problem in plan.problems):",
        "if False:",
        "workflow/test_claims.py::test_a_blocking_problem_opens_no_gate",
    ),
    guard(
        "cancel: waits for what runs",
        "P9",
        ENGINE,
        "            if options.holds_up_cancel(attempt):\n",
        "            if False:\n",
        CANCEL,
    ),
    guard(
        "cancel: nothing new afterwards",
        "P9",
        ENGINE,
        "    if ticket.cancel_requested_at is not None:\n        _cancel(session, ticket)\n        return\n",
        "",
        CANCEL,
        "workflow/test_flow.py::test_cancel_tells_the_truth_per_node",
    ),
    guard(
        "cancel: no retry of a ticket that is being cancelled",
        "P9",
        OPTIONS,
        "    if ticket.cancel_requested_at is not None:\n        return ended(ticket) or BeingCancelled()\n    stuck =",
        "    stuck =",
        "workflow/test_refusals.py::test_nothing_is_planned_in_a_ticket_that_is_being_cancelled",
    ),
    guard(
        "pause: nothing is launched meanwhile",
        "P9",
        ENGINE,
        "while ticket.pause_requested_at is None and _act(session, ticket):",
        "while _act(session, ticket):",
        "workflow/test_refusals.py::test_a_paused_ticket_launches_nothing",
    ),
    guard(
        "end: an ended ticket takes no command",
        "P7",
        OPTIONS,
        "return Ended(state=ticket.state) if ticket.state in TERMINAL_TICKET else None",
        "return None",
        "workflow/test_refusals.py::test_an_ended_ticket_takes_no_command",
    ),
    guard(
        "submit: the same key is the same ticket",
        "P1",
        COMMANDS,
        "    if earlier is not None:\n        return earlier, False\n",
        "",
        "workflow/test_flow.py::test_idempotency_key_returns_the_first_ticket",
    ),
    guard(
        "submit: the same key at the same moment",
        "P1",
        COMMANDS,
        '    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{requester_id}:{key}", 0))))\n',
        "",
        "workflow/test_refusals.py::test_one_key_at_the_same_moment_makes_one_ticket",
    ),
)

GUARDS: tuple[Guard, ...] = (*QUORUMS, *EYES, *TIME, *ORDER)
