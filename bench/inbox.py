"""The inbox over 10,000 tickets of 48 nodes, 500 of which wait at a gate: what a page and the number on it cost.

Requests go through the whole application in this process, on a throw-away PostgreSQL.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import func, text

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.app import create_app
from autorke.clusters.models import Cluster
from autorke.core import db
from autorke.core.ids import new_id
from autorke.embedded import throwaway
from autorke.flows.add_workers import flow
from autorke.users import sessions
from autorke.users.models import ApiToken, RoleBinding, User
from autorke.workflow.models import Delegation
from bench.machines import configured

TICKETS = int(os.environ.get("AUTORKE_BENCH_TICKETS", "10000"))
OPEN_GATES = 500
STUCK = 100
NODES = 48
ROUNDS = 20

FILL = (
    """
    insert into ticket (id, flow_name, flow_version, flow_hash, flow_snapshot, policy, scope_id, requester_id,
                        request_hash, summary, state, row_version, params, next_seq, last_hash, created_at, ended_at,
                        attention)
    select gen_random_uuid(), :flow, 1, '', cast(:snapshot as jsonb), 'strict', cast(:cluster as uuid),
           case when n % 10 = 0 then cast(:approver as uuid) else cast(:requester as uuid) end, '', 'ticket ' || n,
           case when n <= :open then 'ACTIVE' when n <= :open + :stuck then 'ATTENTION'
                else (array['SUCCEEDED', 'FAILED', 'CANCELLED'])[1 + n % 3] end,
           1, '{}', 1, '', now() - make_interval(mins => n), case when n > :open + :stuck then now() end,
           case when n between :open + 1 and :open + :stuck then 'initialise: PARTIAL' end
      from generate_series(1, :tickets) n
    """,
    """
    insert into ticket_node (ticket_id, node_id, ord, name, data)
    select t.id, 'n' || i, i, 'node-' || i, '{}' from ticket t, generate_series(1, :nodes) i
    """,
    """
    insert into step (id, ticket_id, ord, key, handler, unit, effect, state, pre_gate, post_gate, current_n, round)
    select gen_random_uuid(), t.id, s.place - 1, s.step ->> 'key', s.step ->> 'handler', s.step ->> 'unit',
           s.step ->> 'effect',
           case when s.place < 3 or t.ended_at is not null then 'DONE' when s.place > 3 then 'PENDING'
                when t.state = 'ATTENTION' then 'PARTIAL' else 'WAIT_PRE_GATE' end, true, true, 1, 1
      from ticket t, jsonb_array_elements(t.flow_snapshot -> 'steps') with ordinality s(step, place)
    """,
    """
    insert into plan (id, step_id, round, body, plan_hash, fingerprint, problems)
    select gen_random_uuid(), id, 1, '{}', md5(id::text) || md5(id::text), '{}', '[]' from step where ord < 3
    """,
    """
    insert into gate (id, step_id, phase, plan_id, plan_hash, subject_hash, quorum, permission, state, opened_at,
                      expires_at)
    select gen_random_uuid(), s.id, 'PRE', p.id, p.plan_hash, p.plan_hash, 1, 'ticket:approve',
           case when s.state = 'WAIT_PRE_GATE' then 'OPEN' else 'APPROVED' end, t.created_at, now() + interval '3 days'
      from step s join plan p on p.step_id = s.id join ticket t on t.id = s.ticket_id
    """,
    """
    insert into step_attempt (id, step_id, n, purpose, state, node_ids, token)
    select gen_random_uuid(), id, 1, 'RUN', 'PARTIAL', '[]', 1 from step where ord = 2 and state in ('PARTIAL', 'DONE')
    """,
    """
    insert into node_result (attempt_id, node_id, step_id, batch_no, state, evidence, summary)
    select a.id, 'n' || i, a.step_id, 0,
           case when s.state = 'DONE' or i % 8 > 0 then 'SUCCEEDED' else 'FAILED' end, '{}', ''
      from step_attempt a join step s on s.id = a.step_id, generate_series(1, :nodes) i
    """,
    "analyze",
)


def _person(session: Any, name: str, role: str) -> tuple[UUID, str]:
    """(id, token) of somebody with a role on all clusters."""
    user = User(name=name, display_name=name)
    session.add(user)
    session.flush()
    token = sessions.TOKEN_PREFIX + new_id().hex
    ends = func.now() + text("interval '1 day'")
    row = ApiToken(user_id=user.id, name=name, token_sha256=sessions.digest(token), scopes=None, expires_at=ends)
    session.add_all([RoleBinding(user_id=user.id, role=role, cluster_id=None), row])
    return user.id, token


def _fill() -> dict[str, str]:
    """Everything, and a token for each person."""
    with db.transaction() as session:
        cluster = Cluster(name="one", kubernetes_version="v1.24.17", api_url="https://one:6443", ca_fingerprint="x")
        session.add(cluster)
        people = {role: _person(session, role, role) for role in ("requester", "approver", "viewer")}
        session.flush()
        ends = func.now() + text("interval '1 day'")
        stands_in = {"from_id": people["approver"][0], "to_id": people["viewer"][0], "reason": "bench"}
        session.add(Delegation(**stands_in, scope_id=None, valid_to=ends))
        session.execute(text("set local statement_timeout = 0"))
        values = {
            "flow": flow.name,
            "snapshot": json.dumps(flow.snapshot()),
            "cluster": cluster.id,
            "approver": people["approver"][0],
            "requester": people["requester"][0],
            "tickets": TICKETS,
            "open": OPEN_GATES,
            "stuck": STUCK,
            "nodes": NODES,
        }
        for statement in FILL:
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            session.execute(text(statement), wanted)
    return {role: token for role, (_, token) in people.items()}


@contextmanager
def _served() -> Iterator[tuple[TestClient, dict[str, str]]]:
    with throwaway.postgres() as url, configured(url.render_as_string(hide_password=False)):
        db.Base.metadata.create_all(db.get_engine())
        tokens = _fill()
        with TestClient(create_app()) as client:
            yield client, tokens


def _median_ms(client: TestClient, token: str, path: str) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
    return round(statistics.median(times), 1)


def run() -> dict[str, Any]:
    with _served() as (client, tokens):
        approver, stand_in = tokens["approver"], tokens["viewer"]
        headers = {"Authorization": f"Bearer {approver}"}
        counts = client.get("/api/v1/inbox/counts", headers=headers).json()
        oldest = client.get("/api/v1/inbox?limit=1", headers=headers).json()["items"][0]["ticket"]["id"]
        return {
            "tickets": TICKETS,
            "open_gates": OPEN_GATES,
            "counts": counts,
            "counts_ms": _median_ms(client, approver, "/inbox/counts"),
            "counts_of_a_stand_in_ms": _median_ms(client, stand_in, "/inbox/counts"),
            "approve_page_of_50_ms": _median_ms(client, approver, "/inbox?limit=50"),
            "failed_page_of_50_ms": _median_ms(client, approver, "/inbox?tab=failed&limit=50"),
            "done_page_of_50_ms": _median_ms(client, tokens["requester"], "/inbox?tab=done&limit=50"),
            "tickets_page_of_50_ms": _median_ms(client, approver, "/tickets?limit=50&total=true"),
            "ticket_ms": _median_ms(client, approver, f"/tickets/{oldest}"),
        }
