/** Tickets as the api tells of them, for tests: what a test does not name is plain. */
import type { MatrixNodeOut } from "../api/client";
import type { Attempt, Gate, Step, Ticket, TicketNode } from "../features/tickets/types";

const AT = "2026-11-25T21:00:00Z";
const ALLOWED = { allowed: true, reason: null, effect: { zh: "效果", en: "effect" }, step: null, nodes: [], attempt_id: null };

export const TICKET_ID = "01900000-0000-7000-8000-00000000aaaa";
export const APPROVER = "01900000-0000-7000-8000-00000000bbbb";

export function makeApproval(changes: Partial<Gate["approvals"][number]> = {}): Gate["approvals"][number] {
  return {
    approver_id: APPROVER,
    approver_name: "审批人",
    acting_for_id: null,
    acting_for_name: null,
    decision: "APPROVE",
    comment: "",
    subject_hash: "a".repeat(64),
    at: AT,
    revoked_at: null,
    ...changes,
  };
}

export function makeGate(changes: Partial<Gate> = {}): Gate {
  return {
    id: "gate-1",
    phase: "PRE",
    state: "OPEN",
    subject_hash: "a".repeat(64),
    plan_hash: "a".repeat(64),
    quorum: 1,
    permission: "ticket:approve",
    opened_at: AT,
    expires_at: null,
    closed_at: null,
    approvals: [],
    may_sign: true,
    reason: null,
    candidates: [],
    acting_for: null,
    ...changes,
  };
}

export function makeAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    id: "attempt-1",
    n: 2,
    purpose: "RUN",
    state: "SUCCEEDED",
    node_ids: ["a", "b"],
    runner_id: "host-1",
    ready_at: AT,
    started_at: AT,
    ended_at: "2026-11-25T21:00:30Z",
    outcome: null,
    death_proof: null,
    reason: null,
    override_by: null,
    ...changes,
  };
}

export function makeStep(key: string, changes: Partial<Step> = {}): Step {
  return {
    key,
    title: { zh: `步骤${key}`, en: `Step ${key}` },
    does: { zh: "做事", en: "does things" },
    effect: "CONVERGENT",
    unit: "NODE",
    state: "PENDING",
    skip_reason: null,
    pre_gate: true,
    post_gate: true,
    round: 0,
    plan_hash: null,
    problems: [],
    result: null,
    counts: {},
    gates: [],
    attempts: [],
    started_at: null,
    ended_at: null,
    ...changes,
  };
}

export function makeTicket(steps: Step[], changes: Partial<Ticket> = {}): Ticket {
  const keys = ["retry", "pause", "resume", "cancel", "close", "exclude", "resolve"] as const;
  return {
    id: TICKET_ID,
    number: 7,
    flow_name: "add_workers",
    flow_version: 1,
    policy: "strict",
    scope_id: null,
    requester_id: "01900000-0000-7000-8000-000000000009",
    summary: "alpha: +2 worker",
    state: "ACTIVE",
    attention: null,
    row_version: 1,
    cancel_requested_at: null,
    pause_requested_at: null,
    created_at: AT,
    updated_at: AT,
    ended_at: null,
    flow_title: { zh: "添加 worker 节点", en: "Add workers" },
    cluster_name: "alpha",
    requester_name: "申请人",
    targets: 2,
    risk: "medium",
    progress: { done: 0, failed: 0, total: 4 },
    step_key: null,
    step_title: null,
    waiting: null,
    params: {},
    steps,
    waiting_for: [],
    next_seq: 10,
    actions: Object.fromEntries(keys.map((name) => [name, ALLOWED])) as unknown as Ticket["actions"],
    seen: null,
    watching: false,
    ...changes,
  } as Ticket;
}

type Result = Partial<TicketNode["results"][number]> & { step: string; state: string };

/** A node as both the matrix and the full list have it. */
export function makeNode(id: string, results: Result[] = [], changes: Partial<TicketNode> = {}): TicketNode & MatrixNodeOut {
  const address = `10.0.0.${id.charCodeAt(0) - 96}`;
  return {
    address,
    node_id: id,
    name: `node-${id}`,
    excluded_at: null,
    excluded_reason: null,
    data: { address },
    ...changes,
    results: results.map((one) => ({
      node_id: id,
      batch_no: 0,
      attempt_n: 2,
      summary: "",
      error: null,
      evidence: {},
      started_at: AT,
      ended_at: "2026-11-25T21:00:05Z",
      ...one,
    })),
  };
}
