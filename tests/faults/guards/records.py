"""Guards of records and locks: events, chain, append-only, locks, queue order, hints, log offsets, streams, secrets."""

from __future__ import annotations

from tests.faults.guards.kinds import Edit, Guard, guard

JOURNAL = "autorke/workflow/journal.py"
LOCKS = "autorke/workflow/locks.py"
ENGINE = "autorke/workflow/engine.py"
RECONCILE = "autorke/workflow/reconcile.py"
OUTBOX = "autorke/workflow/outbox.py"
LOGSTORE = "autorke/workflow/logstore.py"
REDACT = "autorke/core/redact.py"
INITIAL = "migrations/versions/20261123_34d717350734_initial_tables.py"

WRITERS = "workflow/test_records.py::test_events_of_many_writers_are_gapless"
ALTERED = "workflow/test_records.py::test_an_altered_event_breaks_the_chain"
FORGED = "workflow/test_records.py::test_who_alters_an_event_must_alter_all_that_follow"
APPEND_ONLY = "workflow/test_records.py::test_events_are_never_changed"
ALL_OR_NONE = "workflow/test_locks.py::test_all_locks_or_none"
FIFO = "workflow/test_flow.py::test_two_tickets_on_one_machine_wait_for_each_other"
STORM = "faults/test_programme.py::test_a_part_of_the_programme_finds_nothing[T10]"
RESENT = "workflow/test_recovery.py::test_hints_are_repeated_only_for_what_could_be_claimed_and_leave_no_rows"
HINTS = "faults/test_programme.py::test_a_part_of_the_programme_finds_nothing[T4]"
OUTAGE = "workflow/test_logstore.py::test_an_outage_delays_lines_and_neither_loses_nor_doubles_one"

EVENTS = (
    guard(
        "events: one writer at a time (ticket's row lock)",
        "P4",
        JOURNAL,
        "select(Ticket).where(Ticket.id == ticket_id).with_for_update().execution_options",
        "select(Ticket).where(Ticket.id == ticket_id).execution_options",
        WRITERS,
    ),
    guard(
        "events: gapless sequence", "P4", JOURNAL, "    ticket.next_seq += 1\n", "    ticket.next_seq += 2\n", WRITERS
    ),
    guard(
        "events: hash covers the one before",
        "P4",
        JOURNAL,
        'sha256_hex({"prev": prev_hash, "entry": entry})',
        'sha256_hex({"entry": entry, "of": len(prev_hash) * 0})',
        FORGED,
    ),
    guard(
        "events: hash covers who, what and when",
        "P4",
        JOURNAL,
        'entry = {"seq": seq, "at": at, "actor": [actor.type, actor.id], "kind": kind, "body": body}',
        'entry = {"seq": seq, "of": [at, actor, kind, body][:0]}',
        ALTERED,
    ),
    guard(
        "events: links are checked",
        "P4",
        JOURNAL,
        "if row.seq != expected or row.prev_hash != previous:",
        "if row.seq != expected:",
        ALTERED,
    ),
    guard(
        "events: none is missing at the end",
        "P4",
        JOURNAL,
        "return session.execute(query).one_or_none() == (previous, expected)",
        "return session.execute(query).one_or_none() is not None",
        ALTERED,
    ),
    guard(
        "events: append-only trigger",
        "P4",
        INITIAL,
        '    for table in ("event", "audit_entry"):\n',
        '    for table in ("audit_entry",):\n',
        APPEND_ONLY,
    ),
    guard(
        "events: not emptied either",
        "P4",
        INITIAL,
        "before update or delete or truncate on {table}",
        "before update or delete on {table}",
        APPEND_ONLY,
    ),
    guard(
        "events: one live attempt of a kind (index)",
        "P2",
        INITIAL,
        "op.create_index('uq_step_attempt_live', 'step_attempt', ['step_id', 'purpose'], unique=True,",
        "op.create_index('uq_step_attempt_live', 'step_attempt', ['step_id', 'purpose'], unique=False,",
        "workflow/test_claims.py::test_a_step_has_one_live_attempt_of_a_kind",
    ),
    guard(
        "snapshot: a ticket ends on the release it began with",
        "P17",
        "autorke/workflow/gates.py",
        'snapshot = ticket.flow_snapshot["steps"][step.ord]',
        "from autorke.workflow.definition import _flows\n"
        '    snapshot = _flows[ticket.flow_name].snapshot()["steps"][step.ord]',
        "workflow/test_records.py::test_a_release_changes_no_running_ticket",
        "faults/test_programme.py::test_a_part_of_the_programme_finds_nothing[T11]",
    ),
)

LOCKING = (
    guard("locks: all or none", "P18", LOCKS, "if not taken.intersection(keys):", "if True:", ALL_OR_NONE, FIFO),
    guard("locks: first come first served", "P18", LOCKS, "        taken.update(keys)\n", "", FIFO, STORM),
    guard(
        "locks: one grant at a time (advisory lock)",
        "P18",
        LOCKS,
        'session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _GRANT_LOCK})',
        'session.execute(text("select :key"), {"key": _GRANT_LOCK})',
        STORM,
    ),
    guard(
        "locks: one holder (primary key)",
        "P5",
        INITIAL,
        "sa.PrimaryKeyConstraint('kind', 'key', name=op.f('pk_resource_lock'))",
        "sa.PrimaryKeyConstraint('kind', 'key', 'ticket_id', name=op.f('pk_resource_lock'))",
        "workflow/test_claims.py::test_a_resource_has_one_holder",
    ),
    guard(
        "locks: given back with the ticket's end only",
        "P5",
        ENGINE,
        "    locks.release(session, ticket.id)\n",
        "",
        "workflow/test_locks.py::test_a_lock_does_not_expire_and_ends_only_with_its_ticket",
    ),
    guard(
        "locks: who grants waits for no ticket",
        "P18",
        JOURNAL,
        ".with_for_update(skip_locked=True)",
        ".with_for_update()",
        "workflow/test_locks.py::test_a_ticket_that_somebody_holds_is_left_to_him",
        STORM,
    ),
    guard(
        "locks: taken away only where nothing can act",
        "P5",
        "autorke/workflow/lock_release.py",
        "or_(Attempt.state.in_(LIVE_ATTEMPT), unproven)",
        "unproven",
        "workflow/test_lock_release.py::test_a_lock_stays_while_an_attempt_has_not_ended",
    ),
    guard(
        "locks: fences rise",
        "P5",
        LOCKS,
        "select nextval('fence_seq')",
        "select 1",
        "workflow/test_locks.py::test_fences_rise_with_every_hold",
    ),
)

HINTING = (
    guard(
        "hints: leave after the commit",
        "P12",
        OUTBOX,
        "after_commit(session, lambda: (send(topic, key), None)[1])",
        "send(topic, key)",
        "workflow/test_claims.py::test_a_hint_leaves_after_the_commit_or_never",
    ),
    guard(
        "hints: sent again until heard",
        "P12",
        RECONCILE,
        "        outbox.send_again(session, outbox.LAUNCH, str(attempt_id))\n",
        "        pass\n",
        HINTS,
        RESENT,
    ),
    guard(
        "hints: only for what could be claimed",
        "P13",
        RECONCILE,
        "and t.cancel_requested_at is null and (t.pause_requested_at is null or a.purpose = 'PROBE')",
        "",
        RESENT,
    ),
    guard(
        "hints: not again and again in one moment",
        "P13",
        RECONCILE,
        "coalesce(a.hinted_at, a.ready_at) < clock_timestamp() - make_interval(secs => :after)",
        ":after > 0",
        "workflow/test_refusals.py::test_a_hint_is_not_repeated_before_its_time",
    ),
    guard(
        "hints: skip locked rows",
        "P13",
        RECONCILE,
        "for update of a skip locked)",
        "for update of a)",
        "workflow/test_claims.py::test_a_row_that_somebody_holds_holds_up_no_hint_of_others",
    ),
    Guard(
        "passes: one at a time, and a second look (both)",
        "P13",
        (
            Edit(RECONCILE, "select pg_try_advisory_xact_lock(:k)", "select :k > 0"),
            Edit(
                RECONCILE,
                "if not live or attempt.lease_until is None or attempt.lease_until > now:",
                "if attempt.lease_until is None:",
            ),
        ),
        ("workflow/test_recovery.py::test_any_number_of_passes_at_once_equals_one",),
    ),
)

STREAMS = (
    guard(
        "logs: offsets grow with what is stored",
        "P16",
        LOGSTORE,
        "offset, line = offset + len(piece), line + ends",
        "offset, line = target.offset, line + ends",
        "workflow/test_logstore.py::test_offsets_are_gapless_and_every_reader_gets_the_same_bytes",
    ),
    guard(
        "logs: a repeated COMMIT stores the same rows once",
        "P16",
        "autorke/workflow/logrows.py",
        'as t(stream_id, seq, byte_off, first_line, lines, data)"\n    " on conflict do nothing"',
        'as t(stream_id, seq, byte_off, first_line, lines, data)"',
        OUTAGE,
    ),
    guard(
        "logs: what was not stored is stored later",
        "P16",
        LOGSTORE,
        "            while self._batch or self._take(final):\n",
        "            while self._take(final):\n",
        OUTAGE,
    ),
    guard(
        "logs: a reader gets the rest of a chunk",
        "P16",
        LOGSTORE,
        "out += data[max(0, offset - start) :]",
        "out += data",
        "workflow/test_logstore.py::test_a_reader_that_follows_by_offset_ends_with_the_whole_log",
    ),
    guard(
        "stream: the cursor says how far",
        "P16",
        "autorke/tickets/follow.py",
        "        cursor.seq = event.seq\n",
        "        cursor.seq = event.seq - 1\n",
        "tickets/test_stream.py::test_a_client_that_is_cut_anywhere_ends_with_the_same_bytes_and_events",
    ),
    guard(
        "stream: Last-Event-ID wins",
        "P16",
        "autorke/web/sse.py",
        "_guarded(request, source, last or cursor, hearing, False)",
        "_guarded(request, source, cursor, hearing, False)",
        "web/test_sse.py::test_last_event_id_wins_over_the_cursor",
    ),
    guard(
        "secrets: a stream keeps back what may begin one",
        "P15",
        REDACT,
        "return max(waiting if waiting <= LONGEST_KEY else 0, self._begun(text))",
        "return 0",
        "core/test_redact.py::test_a_secret_split_at_every_place_is_masked",
    ),
    guard(
        "secrets: masked before they are stored",
        "P15",
        LOGSTORE,
        "shown = target.stream.feed(cut if target.full else line)",
        "shown = cut if target.full else line",
        "workflow/test_logstore.py::test_secrets_are_masked_before_they_are_stored",
    ),
    guard(
        "secrets: in base64 too",
        "P15",
        REDACT,
        "        yield from _base64_forms(raw)\n",
        "        yield from ()\n",
        "core/test_redact.py::test_no_form_of_a_secret_is_shown_for_any_chunking",
    ),
    guard(
        "secrets: findings of a plan",
        "P15",
        "autorke/worker/runner.py",
        "problems = [_clean(ctx, problem.as_json()) for problem in plan.problems]",
        "problems = [problem.as_json() for problem in plan.problems]",
        "workflow/test_outside_text.py::test_findings_and_fingerprints_are_masked_like_plans",
    ),
)

GUARDS: tuple[Guard, ...] = (*EVENTS, *LOCKING, *HINTING, *STREAMS)
