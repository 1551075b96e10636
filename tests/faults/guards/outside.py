"""Guards towards the outside: callbacks, and what a look may do."""

from __future__ import annotations

from tests.faults.guards.kinds import Edit, Guard, guard

CALLBACKS = "autorke/workflow/callbacks.py"
REPEAT = "workflow/test_callbacks.py::test_a_repeat_gets_the_same_answer_and_changes_nothing"
TWENTY = "workflow/test_callbacks.py::test_twenty_at_once_take_effect_once"
PROVES_NOTHING = "workflow/test_callbacks.py::test_a_callback_that_proves_nothing_is_refused"
LATE = "workflow/test_callbacks.py::test_a_late_answer_is_recorded_and_not_applied"

GUARDS: tuple[Guard, ...] = (
    guard("callback: once", "P11", CALLBACKS, "    if token.used_at is not None:\n", "    if False:\n", REPEAT, TWENTY),
    guard(
        "callback: another content is no repeat",
        "P11",
        CALLBACKS,
        "        if token.body_sha256 != body_hash:\n",
        "        if False:\n",
        REPEAT,
    ),
    Guard(
        "callback: one at a time (row locks of ticket and token)",
        "P11",
        (
            Edit(CALLBACKS, "    ticket = lock_ticket(session, step.ticket_id)\n    query", "    query"),
            Edit(
                CALLBACKS,
                "CallbackToken.token_sha256 == digest).with_for_update()",
                "CallbackToken.token_sha256 == digest)",
            ),
            Edit(
                CALLBACKS,
                "    _verify(session, token, received)\n",
                "    _verify(session, token, received)\n    used = token.used_at\n",
            ),
            Edit(
                CALLBACKS,
                "    if token.used_at is not None:\n",
                "    ticket = lock_ticket(session, step.ticket_id)\n    if used is not None:\n",
            ),
        ),
        (TWENTY,),
    ),
    guard(
        "callback: signature",
        "P11",
        CALLBACKS,
        'if not hmac.compare_digest(expected.encode(), received.signature.encode(errors="replace")):',
        "if not expected:",
        PROVES_NOTHING,
    ),
    guard("callback: age", "P11", CALLBACKS, "if abs(age) > MAX_SKEW.total_seconds():", "if False:", PROVES_NOTHING),
    guard(
        "callback: allow-list",
        "P11",
        CALLBACKS,
        "if allowed and not _is_in(received.address, allowed):",
        "if False:",
        PROVES_NOTHING,
    ),
    guard("callback: not after its time", "P11", CALLBACKS, " and token.expires_at > db_now(session)", "", LATE),
    guard(
        "callback: only for a step that waits",
        "P11",
        CALLBACKS,
        "applied = step.state in AWAITED and",
        "applied =",
        "workflow/test_callbacks.py::test_no_answer_in_time_fails_the_step_and_a_retry_asks_again",
        "workflow/test_callbacks.py::test_an_answer_for_a_step_that_waits_no_more_is_recorded_only",
    ),
    guard(
        "callback: an early answer is kept",
        "P11",
        "autorke/workflow/lifecycle.py",
        "step.result = {**_early_answer(step), **result}",
        "step.result = result",
        "workflow/test_callbacks.py::test_an_early_answer_waits_for_the_end_of_the_run",
    ),
    guard(
        "callback: nobody waits for ever",
        "P7",
        CALLBACKS,
        "    if step.state == StepState.WAIT_CALLBACK:\n        results.withdraw",
        "    if False:\n        results.withdraw",
        "workflow/test_callbacks.py::test_a_step_that_gave_no_address_away_does_not_wait_for_ever",
    ),
    guard(
        "look: a GET writes nothing",
        "P19",
        "autorke/tickets/service.py",
        '        raise NotFound(what="ticket", key=str(ticket_id))\n    if permission != "ticket:read":',
        '        raise NotFound(what="ticket", key=str(ticket_id))\n    ticket.row_version += 1\n'
        '    if permission != "ticket:read":',
        "workflow/test_reads.py::test_no_get_route_changes_a_row",
    ),
)
