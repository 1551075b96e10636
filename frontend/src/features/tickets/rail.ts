/** The step rail: how each step looks, its gates, its time, and what it waits for. Pure. */
import type { WaitingOut, Words } from "../../api/client";
import { ENDED, type Gate, isRecord, type Step, type Ticket } from "./types";

/** How a step looks at a glance; `state` beside it is the exact one. */
export type Look = "done" | "running" | "waiting" | "failed" | "unknown" | "skipped" | "pending" | "cancelled";

export type GateView = {
  /** `none`: the policy asks nobody; `later`: not open yet. */
  state: "none" | "later" | "open" | "approved" | "rejected" | "expired" | "void";
  approvals: number;
  quorum: number;
  permission: string;
  /** Those who approved and did not take it back. */
  by: Array<{ id: string; name: string }>;
};

export type Cause =
  | { kind: "locks"; locks: WaitingOut[] }
  | { kind: "gate"; phase: "PRE" | "POST"; permission: string; missing: number }
  | { kind: "callback"; since: string | null }
  | { kind: "worker" }
  | { kind: "running"; done: number; total: number }
  | { kind: "planning" }
  | { kind: "paused" }
  | { kind: "person"; state: string }
  | { kind: "stuck"; words: Words }
  | { kind: "skipped"; reason: Words }
  | { kind: "before" };

export type RailStep = {
  key: string;
  number: number;
  title: Words;
  does: Words;
  state: string;
  look: Look;
  current: boolean;
  effect: string;
  /** Seconds of finished runs, and when the present one began: the time of the work, not of the people between. */
  spent: number | null;
  since: string | null;
  counts: Array<{ state: string; count: number }>;
  pre: GateView;
  post: GateView;
  cause: Cause | null;
};

const LOOKS: Record<string, Look> = {
  PENDING: "pending",
  PLANNING: "running",
  PLAN_FAILED: "failed",
  WAIT_PRE_GATE: "waiting",
  GATE_CLOSED: "failed",
  READY: "running",
  RUNNING: "running",
  WAIT_CALLBACK: "waiting",
  PARTIAL: "failed",
  FAILED: "failed",
  UNKNOWN: "unknown",
  WAIT_POST_GATE: "waiting",
  DONE: "done",
  SKIPPED: "skipped",
  CANCELLED: "cancelled",
};

export function lookOf(state: string): Look {
  return LOOKS[state] ?? "pending";
}

const CLOSED = new Set(["DONE", "SKIPPED"]);

/** The step that a person looks at: the first that is neither done nor skipped, else the last that ran. */
export function currentStep(ticket: Ticket): Step | null {
  const open = ticket.steps.find((step) => !CLOSED.has(step.state));
  return open ?? ticket.steps.filter((step) => step.state === "DONE").at(-1) ?? ticket.steps[0] ?? null;
}

/** The newest gate of a phase that counts: a live one wins over those that are over. */
export function gateOf(step: Step, phase: "PRE" | "POST"): Gate | null {
  const of = step.gates.filter((gate) => gate.phase === phase);
  return of.find((gate) => gate.state === "OPEN" || gate.state === "APPROVED") ?? of.at(-1) ?? null;
}

export function signed(gate: Gate): Array<{ id: string; name: string }> {
  return gate.approvals
    .filter((one) => one.decision === "APPROVE" && one.revoked_at === null)
    .map((one) => ({ id: one.approver_id, name: one.approver_name ?? one.approver_id.slice(0, 8) }));
}

export function gateView(step: Step, phase: "PRE" | "POST"): GateView {
  const wanted = phase === "PRE" ? step.pre_gate : step.post_gate;
  const gate = gateOf(step, phase);
  if (!gate) {
    return { state: wanted ? "later" : "none", approvals: 0, quorum: 1, permission: "", by: [] };
  }
  const by = signed(gate);
  const state = gate.state.toLowerCase() as GateView["state"];
  return { state, approvals: by.length, quorum: gate.quorum, permission: gate.permission, by };
}

const ORDER = ["UNKNOWN", "FAILED", "UNREACHABLE", "RUNNING", "NOT_STARTED", "CANCELLED", "SUCCEEDED"];

/** Node counts of a step, worst first. A step without nodes of its own has one result, which its state already tells. */
export function countsOf(step: Step): Array<{ state: string; count: number }> {
  if (step.unit === "TICKET") return [];
  return ORDER.filter((state) => (step.counts[state] ?? 0) > 0).map((state) => ({ state, count: step.counts[state]! }));
}

const PERSON = new Set(["PLAN_FAILED", "GATE_CLOSED", "PARTIAL", "FAILED", "UNKNOWN"]);

/** Succeeded of all its targets: a retry runs only some of them, and those done before count as done. */
function running(step: Step): Cause {
  if (step.unit === "TICKET") return { kind: "running", done: 0, total: 0 };
  const sizes = step.attempts.filter((one) => one.purpose === "RUN").map((one) => one.node_ids.length);
  return { kind: "running", done: step.counts["SUCCEEDED"] ?? 0, total: Math.max(0, ...sizes) };
}

function gateCause(step: Step, phase: "PRE" | "POST", firstOpen: boolean): Cause | null {
  const view = gateView(step, phase);
  if (view.state === "open") {
    return { kind: "gate", phase, permission: view.permission, missing: Math.max(1, view.quorum - view.approvals) };
  }
  return firstOpen ? { kind: "worker" } : { kind: "before" };
}

/** Why this step does not go on by itself; null for one that is over or has nothing to wait for. */
export function causeOf(ticket: Ticket, step: Step, firstOpen: boolean): Cause | null {
  if (step.state === "SKIPPED") return step.skip_reason ? { kind: "skipped", reason: step.skip_reason } : null;
  if (ENDED.has(ticket.state) || step.state === "DONE" || step.state === "CANCELLED") return null;
  if (firstOpen && ticket.waiting?.code === "stuck") return { kind: "stuck", words: ticket.waiting };
  if (ticket.state === "QUEUED") return firstOpen ? { kind: "locks", locks: ticket.waiting_for } : null;
  if (PERSON.has(step.state)) return { kind: "person", state: step.state };
  if (ticket.state === "PAUSED" && step.state !== "PENDING") return { kind: "paused" };
  switch (step.state) {
    case "WAIT_PRE_GATE":
      return gateCause(step, "PRE", firstOpen);
    case "WAIT_POST_GATE":
      return gateCause(step, "POST", true);
    case "WAIT_CALLBACK":
      return { kind: "callback", since: step.started_at };
    case "RUNNING":
      return running(step);
    case "READY":
      return { kind: "worker" };
    case "PLANNING":
      return { kind: "planning" };
    default:
      return null;
  }
}

function timeOf(step: Step): { spent: number | null; since: string | null } {
  const runs = step.attempts.filter((one) => one.purpose === "RUN" && one.started_at !== null);
  const over = runs.filter((one) => one.ended_at !== null);
  const seconds = over.reduce((sum, one) => sum + (Date.parse(one.ended_at!) - Date.parse(one.started_at!)) / 1000, 0);
  const live = runs.find((one) => one.state === "RUNNING");
  return { spent: over.length > 0 ? seconds : null, since: live?.started_at ?? null };
}

export function railOf(ticket: Ticket): RailStep[] {
  const current = currentStep(ticket);
  const firstOpen = ticket.steps.find((step) => !CLOSED.has(step.state));
  return ticket.steps.map((step, index) => ({
    key: step.key,
    number: index + 1,
    title: step.title,
    does: step.does,
    state: step.state,
    look: lookOf(step.state),
    current: step.key === current?.key,
    effect: step.effect,
    ...timeOf(step),
    counts: countsOf(step),
    pre: gateView(step, "PRE"),
    post: gateView(step, "POST"),
    cause: causeOf(ticket, step, step === firstOpen),
  }));
}

/** Who released a lock must know which ticket holds it. */
export function holders(locks: WaitingOut[]): Array<{ id: string; number: number }> {
  const found = new Map<string, number>();
  for (const lock of locks) if (lock.holds) found.set(lock.ticket_id, lock.ticket_number);
  return [...found].map(([id, number]) => ({ id, number }));
}

/** Runs of a step, first to last: what people call attempt 1, 2, 3. Plans and probes are numbered along by the engine. */
export function runsOf(step: Step): Array<{ n: number; ordinal: number; state: string }> {
  return step.attempts
    .filter((one) => one.purpose === "RUN")
    .map((one, index) => ({ n: one.n, ordinal: index + 1, state: one.state }));
}

/** The step's own error, when planning or the whole step failed. */
export function stepError(step: Step): unknown {
  return isRecord(step.result) ? step.result["error"] : undefined;
}
