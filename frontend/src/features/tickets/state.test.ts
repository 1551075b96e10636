import { describe, expect, it } from "vitest";
import { makeAttempt, makeGate, makeStep, makeTicket } from "../../test/tickets";
import {
  changedSinceSeen,
  decisionGates,
  openGates,
  primaryOf,
  readingFor,
  secondariesOf,
  staleness,
  stuckStep,
  subjects,
  unknownAttempt,
  verdictsComplete,
} from "./state";

const NO = { zh: "不行", en: "no" };
const refused = { allowed: false, reason: NO, effect: NO, step: null, nodes: [], attempt_id: null };

describe("the primary action", () => {
  it("is to approve the step whose gate is open", () => {
    const ticket = makeTicket([makeStep("a", { state: "WAIT_PRE_GATE", gates: [makeGate()] })]);
    expect(primaryOf(ticket)).toMatchObject({ kind: "approve", reason: null, step: { key: "a" } });
  });

  it("is to confirm and release where both gates are mine to sign", () => {
    const steps = [
      makeStep("a", { state: "WAIT_POST_GATE", gates: [makeGate({ id: "1", phase: "POST" })] }),
      makeStep("b", { state: "WAIT_PRE_GATE", gates: [makeGate({ id: "2" })] }),
    ];
    expect(primaryOf(makeTicket(steps))?.kind).toBe("confirmRelease");
    const notMine = makeGate({ id: "2", may_sign: false, reason: NO });
    const one = makeTicket([steps[0]!, makeStep("b", { state: "WAIT_PRE_GATE", gates: [notMine] })]);
    expect(primaryOf(one)).toMatchObject({ kind: "confirm", reason: null });
    expect(decisionGates(one).map(({ gate }) => gate.id)).toEqual(["1"]);
  });

  it("stays and says why when the gate is not mine, such as by four eyes", () => {
    const gate = makeGate({ may_sign: false, reason: { zh: "申请人不能审批", en: "The requester never approves" } });
    const ticket = makeTicket([makeStep("a", { state: "WAIT_PRE_GATE", gates: [gate] })]);
    expect(primaryOf(ticket)).toMatchObject({ kind: "approve", reason: { words: { en: "The requester never approves" } } });
    const silent = makeGate({ may_sign: false, reason: null });
    expect(primaryOf(makeTicket([makeStep("a", { gates: [silent] })]))?.reason).toEqual({ key: "reason.mayNotSign" });
  });

  it.each([
    ["PARTIAL", "retry"],
    ["FAILED", "retry"],
    ["PLAN_FAILED", "replan"],
    ["GATE_CLOSED", "replan"],
  ])("of a step that is %s is %s", (state, kind) => {
    const ticket = makeTicket([makeStep("a", { state })], { state: "ATTENTION" });
    expect(primaryOf(ticket)).toMatchObject({ kind, reason: null });
    expect(primaryOf({ ...ticket, actions: { ...ticket.actions, retry: refused } })?.reason).toEqual({ words: NO });
  });

  it("is a person's verdict before anything else when a runner was lost", () => {
    const attempts = [makeAttempt({ state: "UNKNOWN", ended_at: null })];
    const ticket = makeTicket([makeStep("a", { state: "UNKNOWN", attempts })], { state: "ATTENTION" });
    expect(primaryOf(ticket)?.kind).toBe("resolve");
    expect(unknownAttempt(ticket)?.attempt.state).toBe("UNKNOWN");
    expect(stuckStep(ticket)).toBeNull();
  });

  it("is to resume a paused ticket", () => {
    expect(primaryOf(makeTicket([makeStep("a", { state: "READY" })], { state: "PAUSED" }))?.kind).toBe("resume");
  });

  it("waits with a reason while the platform works, and is none when all is over", () => {
    expect(primaryOf(makeTicket([makeStep("a", { state: "RUNNING" })]))).toMatchObject({ kind: "wait", reason: { key: "reason.waits" } });
    expect(primaryOf(makeTicket([makeStep("a", { state: "DONE" })], { state: "SUCCEEDED" }))).toBeNull();
    expect(openGates(makeTicket([makeStep("a", { gates: [makeGate()] })], { state: "CANCELLED" }))).toEqual([]);
  });
});

describe("the other actions", () => {
  const keys = (ticket: ReturnType<typeof makeTicket>) => secondariesOf(ticket).map(({ key }) => key);

  it("repeat neither the primary one nor its opposite", () => {
    expect(keys(makeTicket([makeStep("a", { state: "RUNNING" })]))).toEqual(["pause", "retry", "exclude", "cancel", "close"]);
    expect(keys(makeTicket([makeStep("a", { state: "PARTIAL" })], { state: "ATTENTION" }))).toEqual(["pause", "exclude", "cancel", "close"]);
    const paused = makeTicket([makeStep("a")], { state: "PAUSED", pause_requested_at: "2026-11-25T21:00:00Z" });
    expect(keys(paused)).toEqual(["retry", "exclude", "cancel", "close"]);
    expect(keys(makeTicket([makeStep("a")], { state: "FAILED" }))).toEqual([]);
  });

  it("carry the api's reason and effect", () => {
    const ticket = makeTicket([makeStep("a", { state: "RUNNING" })]);
    const told = secondariesOf({ ...ticket, actions: { ...ticket.actions, close: refused } });
    expect(told.find(({ key }) => key === "close")?.reason).toEqual({ words: NO });
    expect(told.find(({ key }) => key === "cancel")?.effect.en).toBe("effect");
  });
});

describe("what was read and what is signed", () => {
  const gates = (hash: string, id = "1") =>
    subjects(openGates(makeTicket([makeStep("a", { gates: [makeGate({ id, subject_hash: hash, plan_hash: hash })] })])));

  it("is the same as long as gate and hash are, also when one more gate opens", () => {
    expect(staleness(gates("x"), gates("x"))).toEqual({ kind: "same", added: [] });
    expect(staleness([], [])).toEqual({ kind: "same", added: [] });
    const more = { ...gates("z", "3")[0]!, step: "b" };
    expect(staleness(gates("x"), [...gates("x"), more])).toEqual({ kind: "same", added: [more] });
  });

  it("has changed with another hash, another gate, or one that somebody else has settled", () => {
    expect(staleness(gates("x"), gates("y"))).toEqual({ kind: "changed", steps: ["a"] });
    expect(staleness(gates("x"), gates("x", "2"))).toEqual({ kind: "changed", steps: ["a"] });
    const next = { ...gates("z", "3")[0]!, step: "b" };
    expect(staleness(gates("x"), [next])).toEqual({ kind: "changed", steps: ["b", "a"] });
    expect(staleness([...gates("x"), next], gates("x"))).toEqual({ kind: "changed", steps: ["b"] });
  });

  it("is gone while the plan is made anew", () => expect(staleness(gates("x"), [])).toEqual({ kind: "gone" }));

  it("names plans that changed since this person saw them, but no new ones", () => {
    const steps = [makeStep("a", { plan_hash: "new" }), makeStep("b", { plan_hash: "same" }), makeStep("c", { plan_hash: "first" })];
    const seen = { seq: 1, plan_hashes: { a: "old", b: "same" }, at: "2026-11-25T21:00:00Z" };
    const changed = changedSinceSeen(makeTicket(steps, { seen }));
    expect(changed.map(({ step, before, after }) => [step.key, before, after])).toEqual([["a", "old", "new"]]);
  });
});

describe("what is read while deciding", () => {
  it("is the plan to be released, else the results to be confirmed", () => {
    const pre = { gate: makeGate(), step: makeStep("b") };
    const post = { gate: makeGate({ phase: "POST" }), step: makeStep("a") };
    expect(readingFor([post, pre])).toEqual({ tab: "plan", step: "b" });
    expect(readingFor([post])).toEqual({ tab: "nodes", step: "a" });
    expect(readingFor([])).toBeNull();
  });
});

describe("verdicts", () => {
  it("are complete when every node has one, and never of nobody", () => {
    expect(verdictsComplete(["a", "b"], { a: true })).toBe(false);
    expect(verdictsComplete(["a", "b"], { a: true, b: false })).toBe(true);
    expect(verdictsComplete([], {})).toBe(false);
  });
});
