"""Guards of a start: claim, begin, fencing, lost runners."""

from __future__ import annotations

from tests.faults.guards.kinds import Edit, Guard, guard

ATTEMPTS = "autorke/workflow/attempts.py"
LIFECYCLE = "autorke/workflow/lifecycle.py"
RESULTS = "autorke/workflow/results.py"
RECONCILE = "autorke/workflow/reconcile.py"
RUNNER = "autorke/worker/runner.py"
PROCESS = "autorke/worker/process.py"
EXECUTE = "autorke/workflow/execute.py"

CLAIMED = "workflow/test_claims.py::test_an_attempt_is_claimed_only_while_everything_speaks_for_it"
BEGUN = "workflow/test_claims.py::test_what_was_withdrawn_after_the_claim_is_not_begun"
OURS = "workflow/test_claims.py::test_a_claim_that_is_no_longer_ours_begins_nothing"
STALE = "workflow/test_claims.py::test_a_stale_runner_writes_nothing"
ADOPTS = "workflow/test_claims.py::test_a_runner_adopts_only_its_own_claim"
HINTS = "faults/test_programme.py::test_a_part_of_the_programme_finds_nothing[T4]"
LOST_PLAN = "workflow/test_recovery.py::test_a_plan_that_is_lost_again_and_again_needs_a_person"
LOST_RUN = (
    "workflow/test_recovery.py::test_a_run_that_is_lost_before_its_intent_starts_again_by_itself_but_not_for_ever"
)
LOST_PROBE = "workflow/test_recovery.py::test_a_probe_that_is_lost_is_made_again_but_not_for_ever"
PROOF = "workflow/test_recovery.py::test_unknown_needs_proof_or_two_people"
COMMITS = "workflow/test_recovery.py::test_no_step_is_lost_or_doubled_when_every_commit_fails_once"
SWITCH = "workflow/test_wishes.py::test_the_stop_all_switch_stops_claims_and_claims_that_have_not_begun"
RETRY = "workflow/test_flow.py::test_retry_touches_exactly_the_failed_nodes"

_HOLD = "Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == AttemptState.RUNNING\n    )"

CLAIM = (
    guard("claim: only what is READY", "P1", ATTEMPTS, " and a.state = 'READY'\n", "\n", CLAIMED, HINTS),
    guard("claim: n = current_n", "P1", ATTEMPTS, " and a.n = s.current_n", "", CLAIMED),
    guard(
        "claim: ticket active",
        "P7",
        ATTEMPTS,
        "and (t.state = 'ACTIVE' or (a.purpose = 'PROBE' and t.state in ('ATTENTION', 'PAUSED')))",
        "",
        CLAIMED,
    ),
    guard("claim: not cancelled", "P9", ATTEMPTS, "and t.cancel_requested_at is null\n", "\n", CLAIMED),
    guard(
        "claim: not paused",
        "P9",
        ATTEMPTS,
        "and (t.pause_requested_at is null or a.purpose = 'PROBE')\n   and s.handler",
        "and s.handler",
        CLAIMED,
    ),
    guard(
        "claim: handler carried",
        "P17",
        ATTEMPTS,
        "and s.handler = any(:handlers)",
        "and :handlers is not null",
        CLAIMED,
        "workflow/test_records.py::test_a_handler_that_no_process_carries_parks_the_ticket",
    ),
    guard(
        "claim: stop-all switch",
        "P9",
        ATTEMPTS,
        "and not exists (select 1 from engine_switch e where e.halted)",
        "",
        CLAIMED,
        SWITCH,
    ),
    guard(
        "claim: safe mode after a failover",
        "P1",
        ATTEMPTS,
        "and not exists (select 1 from database_line d where d.line <> {LINE})",
        "",
        CLAIMED,
        "workflow/test_safemode.py::test_nothing_is_claimed_from_the_first_moment_on",
    ),
    guard(
        "claim: room for a run's files",
        "P7",
        "autorke/worker/tasks.py",
        "if not rundir.has_room(settings.run_dir):",
        "if False:",
        "worker/test_rundir.py::test_a_host_without_room_claims_nothing_and_leaves_it_to_another",
    ),
    guard(
        "claim: host not drained",
        "P9",
        ATTEMPTS,
        "and not exists (select 1 from runner r where r.id = :runner and r.drain)",
        "",
        CLAIMED,
        "workflow/test_wishes.py::test_a_drained_runner_host_claims_nothing_and_another_does",
    ),
    guard(
        "claim: locks still the ticket's",
        "P5",
        ATTEMPTS,
        "where q.ticket_id = t.id and l.ticket_id is distinct from t.id)",
        "where false)",
        CLAIMED,
        "workflow/test_claims.py::test_a_lock_that_went_to_another_ticket_stops_a_claim",
    ),
    guard("claim: new token", "P6", ATTEMPTS, "token = a.token + 1", "token = a.token", CLAIMED, HINTS),
)

BEGIN = (
    guard("begin: lease not over", "P6", ATTEMPTS, ".where(Attempt.lease_until > func.clock_timestamp())", "", OURS),
    Guard(
        "begin: token (both checks)",
        "P6",
        (
            Edit(LIFECYCLE, "if attempt.token != held.token or attempt.state != AttemptState.CLAIMED:", "if False:"),
            Edit(
                ATTEMPTS,
                ".where(Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == "
                "AttemptState.CLAIMED)\n        .where(Attempt.lease_until",
                ".where(Attempt.id == held.attempt_id)\n        .where(Attempt.lease_until",
            ),
        ),
        (OURS,),
    ),
    guard(
        "begin: step still waits for it, not cancelled",
        "P9",
        LIFECYCLE,
        "if not attempts.may_begin(step, held.purpose) or ticket.cancel_requested_at is not None:",
        "if False:",
        BEGUN,
    ),
    guard(
        "begin: not paused",
        "P9",
        LIFECYCLE,
        "(ticket.pause_requested_at is not None or attempts.halted(session))",
        "attempts.halted(session)",
        BEGUN,
        "workflow/test_wishes.py::test_a_pause_between_claim_and_begin_is_obeyed",
    ),
    guard(
        "begin: stop-all switch",
        "P9",
        LIFECYCLE,
        "(ticket.pause_requested_at is not None or attempts.halted(session))",
        "ticket.pause_requested_at is not None",
        BEGUN,
        SWITCH,
    ),
    guard(
        "begin: quorum recounted",
        "P14",
        LIFECYCLE,
        "gate.state != GateState.APPROVED or not gates.quorum_met(session, ticket, gate)",
        "gate.state != GateState.APPROVED",
        BEGUN,
        "workflow/test_flow.py::test_a_role_lost_before_the_start_stops_it",
        "workflow/test_gates.py::test_a_delegation_that_ends_before_the_start_stops_it",
    ),
    guard(
        "begin: plan is the approved one",
        "P3",
        LIFECYCLE,
        "if gate is None or gate.plan_hash != plan.plan_hash:",
        "if gate is None:",
        "workflow/test_claims.py::test_a_plan_that_is_not_the_approved_one_is_not_begun",
    ),
    guard(
        "begin: nothing drifted",
        "P3",
        LIFECYCLE,
        "    if drift:\n",
        "    if False:\n",
        "workflow/test_flow.py::test_drift_reopens_the_gate_and_shows_what_drifted",
    ),
    guard(
        "begin: lost answer to our own COMMIT",
        "P1",
        LIFECYCLE,
        "if attempt.token == held.token and attempt.state == AttemptState.RUNNING and attempt.pid == process.pid:",
        "if False:",
        COMMITS,
    ),
)

FENCING = (
    guard(
        "fencing: token of node results",
        "P6",
        RESULTS,
        _HOLD,
        _HOLD.replace(" Attempt.token == held.token,", ""),
        STALE,
    ),
    guard(
        "fencing: state of node results",
        "P6",
        RESULTS,
        _HOLD,
        _HOLD.replace(", Attempt.state == AttemptState.RUNNING", ""),
        STALE,
    ),
    guard(
        "fencing: token of a heartbeat", "P6", ATTEMPTS, "a.id = :id and a.token = :token and", "a.id = :id and", STALE
    ),
    guard(
        "fencing: state of a heartbeat",
        "P6",
        ATTEMPTS,
        "and a.state in ('CLAIMED', 'RUNNING') and s.id",
        "and s.id",
        STALE,
    ),
    guard(
        "fencing: token of an end",
        "P6",
        ATTEMPTS,
        "Attempt.token == held.token, Attempt.state == AttemptState.RUNNING)\n        .values(state=state.value",
        "Attempt.state == AttemptState.RUNNING)\n        .values(state=state.value",
        STALE,
    ),
    guard(
        "fencing: state of an end",
        "P6",
        ATTEMPTS,
        ", Attempt.state == AttemptState.RUNNING)\n        .values(state=state.value",
        ")\n        .values(state=state.value",
        STALE,
    ),
    guard(
        "fencing: token of an adoption",
        "P6",
        ATTEMPTS,
        ".where(Attempt.id == attempt_id, Attempt.token == token, Attempt.state == AttemptState.CLAIMED)",
        ".where(Attempt.id == attempt_id, Attempt.state == AttemptState.CLAIMED)",
        ADOPTS,
    ),
    guard(
        "fencing: state of an adoption",
        "P6",
        ATTEMPTS,
        ".where(Attempt.id == attempt_id, Attempt.token == token, Attempt.state == AttemptState.CLAIMED)",
        ".where(Attempt.id == attempt_id, Attempt.token == token)",
        ADOPTS,
    ),
    guard(
        "fencing: one runner for one claim",
        "P2",
        ATTEMPTS,
        "        .where(Attempt.pid.is_(None))\n",
        "",
        "workflow/test_recovery.py::test_a_second_runner_for_one_claim_ends_without_touching_the_first",
    ),
    guard(
        "fencing: new token of what is abandoned",
        "P6",
        ATTEMPTS,
        "    attempt.token += 1\n",
        "",
        "workflow/test_claims.py::test_an_abandoned_claim_gets_a_new_token",
    ),
    guard(
        "fencing: new token of what is lost",
        "P6",
        LIFECYCLE,
        "    attempt.token += 1\n",
        "",
        "workflow/test_claims.py::test_a_lost_run_gets_a_new_token",
    ),
)

LOST = (
    guard(
        "lost: a begun run is never repeated",
        "P8",
        LIFECYCLE,
        "if attempt.state == AttemptState.CLAIMED or attempt.purpose != Purpose.RUN:",
        "if True:",
        PROOF,
    ),
    guard(
        "lost: claims are repeated a few times only",
        "P7",
        LIFECYCLE,
        "if attempts.in_a_row(session, step, purpose, LOST) < MAX_LOSSES:",
        "if True:",
        LOST_PLAN,
        LOST_RUN,
        LOST_PROBE,
    ),
    guard(
        "lost: silence is waited for",
        "P2",
        RECONCILE,
        "if proof is None and not harmless and attempt.lease_until > now - SILENT_GRACE:",
        "if False:",
        "workflow/test_claims.py::test_a_run_that_is_silent_for_a_moment_is_waited_for",
    ),
    guard(
        "lost: second look under the lock",
        "P13",
        RECONCILE,
        "if not live or attempt.lease_until is None or attempt.lease_until > now:",
        "if attempt.lease_until is None:",
        "workflow/test_claims.py::test_a_lease_that_is_renewed_meanwhile_is_not_over",
    ),
    guard(
        "lost: a tool that lives is no proof of death",
        "P2",
        PROCESS,
        "if lives(attempt) or tools_of(str(attempt.id)):",
        "if lives(attempt):",
        "worker/test_processes.py::test_a_tool_that_outlives_its_runner_is_no_proof_of_death",
    ),
    guard(
        "lost: a runner that lives is no proof of death",
        "P2",
        PROCESS,
        "if lives(attempt) or tools_of(str(attempt.id)):",
        "if tools_of(str(attempt.id)):",
        "workflow/test_refusals.py::test_a_runner_that_lives_is_no_proof_of_death_and_one_of_its_number_is_not_it",
    ),
    guard(
        "lost: without proof of death two people decide",
        "P8",
        "autorke/workflow/commands.py",
        "if attempt.death_proof is None and not _overridden(session, ticket, attempt, user_id, override):",
        "if False:",
        PROOF,
    ),
    guard(
        "lost: the second person is another one",
        "P8",
        "autorke/workflow/options.py",
        "return SecondPersonNeeded() if attempt.override_by == user_id else None",
        "return None",
        PROOF,
    ),
    guard(
        "lost: a run that cannot say its end is unknown",
        "P8",
        RESULTS,
        "if NodeState.UNKNOWN in states or NodeState.RUNNING in states:",
        "if NodeState.UNKNOWN in states:",
        "workflow/test_refusals.py::test_a_run_that_ends_with_a_node_under_way_is_unknown",
    ),
    guard(
        "lost: a bug after contact is unknown",
        "P8",
        EXECUTE,
        "    if untouched:\n",
        "    if True:\n",
        "workflow/test_bugs.py::test_a_bug_after_contact_stays_unknown_and_nothing_runs_again",
    ),
)

NODES = (
    guard(
        "nodes: a success is never begun again (index)",
        "P1",
        "migrations/versions/20261123_34d717350734_initial_tables.py",
        "op.create_index('uq_node_result_once', 'node_result', ['step_id', 'node_id'], unique=True,",
        "op.create_index('uq_node_result_once', 'node_result', ['step_id', 'node_id'], unique=False,",
        "workflow/test_claims.py::test_a_node_that_has_succeeded_is_never_begun_again",
    ),
    guard(
        "nodes: retry set",
        "P10",
        RESULTS,
        "if last.get(n) is not NodeState.SUCCEEDED]",
        "]",
        RETRY,
    ),
    guard(
        "nodes: a retry names open nodes only",
        "P10",
        "autorke/workflow/commands.py",
        "strangers = sorted(set(chosen) - set(unfinished))",
        "strangers = sorted(set())",
        "workflow/test_claims.py::test_a_retry_names_open_nodes_only",
    ),
    guard("nodes: failure budget", "P10", EXECUTE, " or self.bad > self.batches.budget", "", RETRY),
    guard(
        "nodes: pause and cancel are heard before each",
        "P9",
        EXECUTE,
        "        self._listen()\n        while self.ctx.pause",
        "        while self.ctx.pause",
        "workflow/test_wishes.py::test_a_wish_is_heard_before_the_next_node",
    ),
    guard(
        "nodes: an end is recorded once", "P1", RUNNER, "if not attempts.has_ended(session, held):", "if True:", COMMITS
    ),
)

GUARDS: tuple[Guard, ...] = (*CLAIM, *BEGIN, *FENCING, *LOST, *NODES)
