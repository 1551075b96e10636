/** Which button a ticket shows, and why it cannot be used. Pure; the api decides again. */
import type { Words } from "../../api/client";
import { currentStep } from "./rail";
import { type ActionKey, type Attempt, ENDED, type Gate, type Step, type Ticket } from "./types";

/** A gate that is open, with the step that it belongs to. */
export type OpenGate = { gate: Gate; step: Step };

export type PrimaryKind =
  | "approve" // release a step
  | "confirm" // confirm a result
  | "confirmRelease" // confirm a result and release the next step: two gates, one decision
  | "resolve"
  | "retry"
  | "replan"
  | "resume"
  | "wait"; // nothing to do for a person: the reason says what runs

export type Primary = {
  kind: PrimaryKind;
  step: Step | null;
  /** Why it cannot be used now; null when it can. A `key` is a text of the page, `words` come from the api. */
  reason: Reason | null;
};

export type Reason = { words: Words } | { key: string };

export function openGates(ticket: Ticket): OpenGate[] {
  if (ENDED.has(ticket.state)) return [];
  return ticket.steps.flatMap((step) =>
    step.gates.filter((gate) => gate.state === "OPEN").map((gate) => ({ gate, step })),
  );
}

/** Gates of one decision: those that this person may sign, all in the same right; when there is none, all, to be shown
 * with the reason. */
export function decisionGates(ticket: Ticket): OpenGate[] {
  const open = openGates(ticket);
  const mine = open.filter(({ gate }) => gate.may_sign);
  const right = mine[0]?.gate.acting_for ?? null;
  return mine.length > 0 ? mine.filter(({ gate }) => gate.acting_for === right) : open;
}

/** What to have on the screen while deciding: the plan that would be released, else the results to be confirmed. */
export function readingFor(gates: readonly OpenGate[]): { tab: "plan" | "nodes"; step: string } | null {
  const plan = gates.find(({ gate }) => gate.phase === "PRE");
  const first = plan ?? gates[0];
  return first ? { tab: plan ? "plan" : "nodes", step: first.step.key } : null;
}

export function unknownAttempt(ticket: Ticket): { step: Step; attempt: Attempt } | null {
  for (const step of ticket.steps) {
    const attempt = step.attempts.find((one) => one.state === "UNKNOWN");
    if (attempt) return { step, attempt };
  }
  return null;
}

const REPLAN = new Set(["PLAN_FAILED", "GATE_CLOSED"]);
const RETRY = new Set(["PARTIAL", "FAILED"]);

/** The step at which a person has to act, if any. */
export function stuckStep(ticket: Ticket): Step | null {
  return ticket.steps.find((step) => REPLAN.has(step.state) || RETRY.has(step.state)) ?? null;
}

/** The api's word on an action. */
export function actionReason(ticket: Ticket, key: ActionKey): Reason | null {
  const action = ticket.actions[key];
  if (action.allowed) return null;
  return action.reason ? { words: action.reason } : { key: "reason.notNow" };
}

export function gateKind(gates: readonly OpenGate[]): PrimaryKind {
  const phases = new Set(gates.map(({ gate }) => gate.phase));
  if (phases.size === 2) return "confirmRelease";
  return phases.has("POST") ? "confirm" : "approve";
}

function gatePrimary(ticket: Ticket): Primary | null {
  const gates = decisionGates(ticket);
  const first = gates[0];
  if (!first) return null;
  const refused = gates.every(({ gate }) => !gate.may_sign);
  const why = refused ? (first.gate.reason ?? null) : null;
  const reason: Reason | null = refused ? (why ? { words: why } : { key: "reason.mayNotSign" }) : null;
  return { kind: gateKind(gates), step: first.step, reason };
}

/** The one thing to do next on this ticket; null when it is over. */
export function primaryOf(ticket: Ticket): Primary | null {
  if (ENDED.has(ticket.state)) return null;
  const lost = unknownAttempt(ticket);
  if (lost) return { kind: "resolve", step: lost.step, reason: actionReason(ticket, "resolve") };
  const stuck = stuckStep(ticket);
  if (stuck) {
    const kind = REPLAN.has(stuck.state) ? "replan" : "retry";
    return { kind, step: stuck, reason: actionReason(ticket, "retry") };
  }
  if (ticket.state === "PAUSED") return { kind: "resume", step: null, reason: actionReason(ticket, "resume") };
  const gate = gatePrimary(ticket);
  if (gate) return gate;
  return { kind: "wait", step: currentStep(ticket), reason: { key: "reason.waits" } };
}

export type Secondary = { key: ActionKey; reason: Reason | null; effect: Words };

/** Order in which the other actions stand; what is primary already is not repeated. */
const SECONDARY: readonly ActionKey[] = ["pause", "resume", "retry", "exclude", "cancel", "close"];
const SAME: Partial<Record<PrimaryKind, ActionKey>> = { retry: "retry", replan: "retry", resume: "resume", resolve: "resolve" };

export function secondariesOf(ticket: Ticket): Secondary[] {
  const primary = primaryOf(ticket);
  if (!primary) return [];
  const paused = ticket.pause_requested_at !== null;
  return SECONDARY.filter((key) => key !== SAME[primary.kind] && key !== (paused ? "pause" : "resume")).map((key) => ({
    key,
    reason: actionReason(ticket, key),
    effect: ticket.actions[key].effect,
  }));
}

// --- what has changed since it was read ----------------------------------------------------------------------------

/** What a decision would sign: gate by gate, the hash that was shown. */
export type Subject = {
  gateId: string;
  step: string;
  phase: string;
  subjectHash: string;
  planHash: string;
  /** For whom this person would sign; null in their own right. */
  actingFor: string | null;
};

export function subjects(gates: readonly OpenGate[]): Subject[] {
  return gates.map(({ gate, step }) => ({
    gateId: gate.id,
    step: step.key,
    phase: gate.phase,
    subjectHash: gate.subject_hash,
    planHash: gate.plan_hash,
    actingFor: gate.acting_for,
  }));
}

export type Staleness =
  /** All that was shown can be signed as it was; `added` may be looked at too. */
  | { kind: "same"; added: Subject[] }
  /** Something that was shown is on another plan or result, or settled: it must be read again. */
  | { kind: "changed"; steps: string[] }
  /** What was shown is being made anew; there is nothing to sign at this moment. */
  | { kind: "gone" };

/** Compares what a person reads in the decision panel with the gates of this moment. */
export function staleness(shown: readonly Subject[], now: readonly Subject[]): Staleness {
  if (now.length === 0 && shown.length > 0) return { kind: "gone" };
  const key = (one: Subject) => `${one.gateId} ${one.subjectHash}`;
  const before = new Set(shown.map(key));
  const after = new Set(now.map(key));
  const added = now.filter((one) => !before.has(key(one)));
  const missing = shown.filter((one) => !after.has(key(one)));
  if (missing.length === 0) return { kind: "same", added };
  return { kind: "changed", steps: [...new Set([...added, ...missing].map((one) => one.step))] };
}

/** Steps whose plan is another one than this person last saw. Steps that were never seen are new, not changed. */
export function changedSinceSeen(ticket: Ticket): Array<{ step: Step; before: string; after: string }> {
  const seen = ticket.seen?.plan_hashes ?? {};
  return ticket.steps.flatMap((step) => {
    const before = seen[step.key];
    const after = step.plan_hash;
    return before !== undefined && after !== null && before !== after ? [{ step, before, after }] : [];
  });
}

/** Verdicts on unknown nodes: complete when every node has one. */
export function verdictsComplete(nodes: readonly string[], verdicts: Readonly<Record<string, boolean>>): boolean {
  return nodes.length > 0 && nodes.every((node) => node in verdicts);
}
