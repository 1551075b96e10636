import { describe, expect, it } from "vitest";
import { makeApproval, makeGate, makeStep, makeTicket } from "../../test/tickets";
import { chainHolds, groupsOf, placeholders } from "./activity";
import { approvalRows, revocable } from "./approvals";
import type { TicketEvent } from "./types";

const event = (seq: number, actor: string, body: Record<string, unknown> = {}): TicketEvent => ({
  seq,
  at: "2026-11-25T21:00:00Z",
  actor_type: actor,
  actor_id: actor === "user" ? "u" : null,
  kind: "step.state",
  body,
  prev_hash: seq === 1 ? "" : `h${seq - 1}`,
  hash: `h${seq}`,
}) as TicketEvent;

const EVENTS = [event(1, "user"), event(2, "system"), event(3, "runner"), event(4, "user"), event(5, "system")];

describe("activity", () => {
  it("is newest first, with what followed by itself folded", () => {
    const shown = groupsOf(EVENTS, false).map((group) => (group.kind === "person" ? group.event.seq : group.events.map((one) => one.seq)));
    expect(shown).toEqual([[5], 4, [3, 2], 1]);
  });

  it("shows only people when asked", () => {
    expect(groupsOf(EVENTS, true).map((group) => (group.kind === "person" ? group.event.seq : 0))).toEqual([4, 1]);
  });

  it("names numbers and counts of lists in sentences, nothing else", () => {
    expect(placeholders(event(1, "user", { step: "join", nodes: ["a", "b"], n: 2, verdicts: { a: 1 }, no: null }))).toEqual({ step: "join", nodes: 2, n: 2, verdicts: 1 });
  });

  it("notices a gap and a changed event", () => {
    expect(chainHolds(EVENTS)).toBe(true);
    expect(chainHolds(EVENTS.filter((one) => one.seq !== 3))).toBe(false);
    expect(chainHolds(EVENTS.map((one) => (one.seq === 2 ? { ...one, hash: "other" } : one)))).toBe(false);
  });
});

describe("approvals", () => {
  it("are one row per decision, and one for what is still open", () => {
    const said = makeApproval({ approver_id: "p" });
    const steps = [
      makeStep("a", { gates: [makeGate({ id: "1", state: "APPROVED", approvals: [said] }), makeGate({ id: "2", phase: "POST", quorum: 2, approvals: [said] })] }),
      makeStep("b", { gates: [makeGate({ id: "3", state: "VOID" })] }),
    ];
    const rows = approvalRows(makeTicket(steps));
    expect(rows.map((row) => revocable(row, "p"))).toEqual([false, false, false, false]);
    const [fresh] = approvalRows(makeTicket([makeStep("a", { state: "READY", gates: [makeGate({ state: "APPROVED", approvals: [said] })] })]));
    expect([revocable(fresh!, "p"), revocable(fresh!, "q"), revocable(fresh!, undefined)]).toEqual([true, false, false]);
    expect(rows.map((row) => [row.number, row.gate.id, row.approverId])).toEqual([[1, "1", "p"], [1, "2", "p"], [1, "2", null], [2, "3", null]]);
  });
});
