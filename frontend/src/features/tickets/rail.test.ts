import { describe, expect, it } from "vitest";
import { APPROVER, makeApproval, makeAttempt, makeGate, makeStep, makeTicket } from "../../test/tickets";
import { currentStep, gateView, holders, lookOf, railOf, runsOf } from "./rail";

const SIGNED = makeApproval();

function causes(...args: Parameters<typeof makeTicket>) {
  return railOf(makeTicket(...args)).map((step) => step.cause?.kind ?? null);
}

describe("the step that is looked at", () => {
  it("is the first that is neither done nor skipped", () => {
    const steps = [makeStep("a", { state: "DONE" }), makeStep("b", { state: "SKIPPED" }), makeStep("c", { state: "RUNNING" })];
    expect(currentStep(makeTicket(steps))?.key).toBe("c");
  });

  it("is the last done one when all is over, and none without steps", () => {
    const steps = [makeStep("a", { state: "DONE" }), makeStep("b", { state: "DONE" }), makeStep("c", { state: "SKIPPED" })];
    expect(currentStep(makeTicket(steps))?.key).toBe("b");
    expect(currentStep(makeTicket([]))).toBeNull();
  });
});

describe("a gate", () => {
  it("is not needed, later, or what its newest live one says", () => {
    expect(gateView(makeStep("a", { pre_gate: false }), "PRE").state).toBe("none");
    expect(gateView(makeStep("a"), "PRE").state).toBe("later");
    const gates = [makeGate({ id: "1", state: "VOID" }), makeGate({ id: "2", state: "OPEN" }), makeGate({ id: "3", state: "VOID" })];
    expect(gateView(makeStep("a", { gates }), "PRE").state).toBe("open");
    expect(gateView(makeStep("a", { gates: gates.filter((gate) => gate.state === "VOID") }), "PRE").state).toBe("void");
  });

  it("counts approvals that stand, not those taken back or rejections", () => {
    const approvals = [SIGNED, { ...SIGNED, approver_id: "x", revoked_at: "2026-11-25T22:00:00Z" }, { ...SIGNED, approver_id: "y", decision: "REJECT" }];
    const view = gateView(makeStep("a", { gates: [makeGate({ approvals, quorum: 2 })] }), "PRE");
    expect([view.approvals, view.quorum, view.by]).toEqual([1, 2, [{ id: APPROVER, name: "审批人" }]]);
  });
});

describe("what a step waits for", () => {
  it("is its locks while the ticket is queued, and only at the first step", () => {
    const lock = { kind: "cluster", key: "c", ticket_id: "t", ticket_number: 4, holds: true };
    expect(causes([makeStep("a"), makeStep("b")], { state: "QUEUED", waiting_for: [lock] })).toEqual(["locks", null]);
    expect(holders([lock, { ...lock, key: "m" }, { ...lock, ticket_id: "u", ticket_number: 5, holds: false }])).toEqual([{ id: "t", number: 4 }]);
  });

  it("is a person of the gate that is open, with how many are still needed", () => {
    const waiting = makeStep("a", { state: "WAIT_PRE_GATE", gates: [makeGate({ quorum: 2, approvals: [SIGNED] })] });
    expect(railOf(makeTicket([waiting]))[0]!.cause).toEqual({ kind: "gate", phase: "PRE", permission: "ticket:approve", missing: 1 });
  });

  it("is the step before when its own gate is passed but that one is not confirmed", () => {
    const before = makeStep("a", { state: "WAIT_POST_GATE", gates: [makeGate({ phase: "POST" })] });
    const after = makeStep("b", { state: "WAIT_PRE_GATE", gates: [makeGate({ id: "2", state: "APPROVED" })] });
    expect(causes([before, after])).toEqual(["gate", "before"]);
  });

  it.each([
    ["READY", "worker"],
    ["PLANNING", "planning"],
    ["WAIT_CALLBACK", "callback"],
    ["PARTIAL", "person"],
    ["UNKNOWN", "person"],
    ["PENDING", null],
    ["DONE", null],
  ])("%s → %s", (state, cause) => expect(causes([makeStep("a", { state })])).toEqual([cause]));

  it("is the pause, unless a person has to act anyway", () => {
    const steps = [makeStep("a", { state: "RUNNING" })];
    expect(causes(steps, { state: "PAUSED" })).toEqual(["paused"]);
    expect(causes([makeStep("a", { state: "FAILED" })], { state: "PAUSED" })).toEqual(["person"]);
  });

  it("is nothing on a ticket that is over, but a skipped step keeps its reason", () => {
    const skipped = makeStep("b", { state: "SKIPPED", skip_reason: { zh: "不需要", en: "not needed" } });
    expect(causes([makeStep("a", { state: "FAILED" }), skipped], { state: "FAILED" })).toEqual([null, "skipped"]);
  });

  it("counts done nodes over all attempts while it runs", () => {
    const attempts = [makeAttempt({ n: 2, node_ids: ["a", "b", "c"], state: "PARTIAL" }), makeAttempt({ n: 4, node_ids: ["c"], state: "RUNNING", ended_at: null })];
    const step = makeStep("a", { state: "RUNNING", attempts, counts: { SUCCEEDED: 2, RUNNING: 1 } });
    expect(railOf(makeTicket([step]))[0]!.cause).toEqual({ kind: "running", done: 2, total: 3 });
  });
});

describe("the rail", () => {
  it("shows counts worst first, none for a step that runs once", () => {
    const counts = { SUCCEEDED: 5, FAILED: 1, UNKNOWN: 2 };
    expect(railOf(makeTicket([makeStep("a", { counts })]))[0]!.counts.map((one) => one.state)).toEqual(["UNKNOWN", "FAILED", "SUCCEEDED"]);
    expect(railOf(makeTicket([makeStep("a", { counts, unit: "TICKET" })]))[0]!.counts).toEqual([]);
  });

  it("times the work of all runs, not the wait for a person between them", () => {
    const over = makeAttempt({ started_at: "2026-11-25T21:00:00Z", ended_at: "2026-11-25T21:00:30Z" });
    const live = makeAttempt({ n: 4, state: "RUNNING", started_at: "2026-11-25T23:00:00Z", ended_at: null });
    const timed = (attempts: ReturnType<typeof makeAttempt>[]) => {
      const { spent, since } = railOf(makeTicket([makeStep("a", { state: "RUNNING", attempts })]))[0]!;
      return [spent, since];
    };
    expect(timed([over, makeAttempt({ n: 3, purpose: "PLAN" })])).toEqual([30, null]);
    expect(timed([over, live])).toEqual([30, "2026-11-25T23:00:00Z"]);
    expect(timed([])).toEqual([null, null]);
  });

  it("knows every state, and treats an unknown one as not begun", () => {
    expect(lookOf("UNKNOWN")).toBe("unknown");
    expect(lookOf("NEW_STATE")).toBe("pending");
  });

  it("numbers runs as people count them, past plans and probes", () => {
    const attempts = [makeAttempt({ n: 1, purpose: "PLAN" }), makeAttempt({ n: 2 }), makeAttempt({ n: 3, purpose: "PROBE" }), makeAttempt({ n: 5 })];
    expect(runsOf(makeStep("a", { attempts })).map(({ n, ordinal }) => [n, ordinal])).toEqual([[2, 1], [5, 2]]);
  });
});
