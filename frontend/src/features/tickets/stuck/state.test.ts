import { describe, expect, it } from "vitest";
import { makeStuck } from "../../../test/stuck";
import { makeStep, makeTicket, TICKET_ID } from "../../../test/tickets";
import { railOf } from "../rail";
import { choiceOf, forBanner, ofTicket, withStuck } from "./state";

const TICKETS = [{ id: TICKET_ID, number: 7 }];
const NO = { zh: "没有权限", en: "You lack the permission" };

describe("what is stuck", () => {
  it("is shown on every page to whom it concerns, and on its ticket's page to all", () => {
    const mine = makeStuck({ id: "1" });
    const others = makeStuck({ id: "2", mine: false, tickets: TICKETS });
    expect(forBanner([mine, others])).toEqual([mine]);
    const ofSeven = makeStuck({ everybody: false, tickets: TICKETS });
    expect(forBanner([ofSeven], 8)).toEqual([ofSeven]);
    expect(forBanner([ofSeven, mine], 7)).toEqual([mine]);
    expect(ofTicket([mine, others], TICKET_ID)).toEqual([others]);
  });

  it("offers one thing to do", () => {
    expect(choiceOf(makeStuck())).toEqual({ kind: "repair", reason: null });
    const repair = makeStuck().repair!;
    expect(choiceOf(makeStuck({ repair: { ...repair, allowed: false, reason: NO } }))).toEqual({ kind: "repair", reason: NO });
    const at = "2026-11-25T21:01:00Z";
    expect(choiceOf(makeStuck({ repair_by: "u", repair_at: at }))).toEqual({ kind: "asked", by: "u", at });
    const once = makeStuck({ repair: { ...repair, lasting: false }, repair_at: at });
    expect(choiceOf(once)).toEqual({ kind: "repair", reason: null });
    expect(choiceOf(makeStuck({ repair: null, go: "ticket", tickets: TICKETS }))).toEqual({ kind: "ticket", number: 7 });
    expect(choiceOf(makeStuck({ repair: null, go: "ticket" }))).toEqual({ kind: "none" });
    expect(choiceOf(makeStuck({ repair: null, go: "users" }))).toEqual({ kind: "users" });
    expect(choiceOf(makeStuck({ repair: null }))).toEqual({ kind: "none" });
  });

  it("stands where the ticket says what it waits for, and no longer than it is so", () => {
    const ticket = makeTicket([makeStep("join", { state: "READY" })]);
    const stuck = withStuck(ticket, [makeStuck({ tickets: TICKETS })]);
    expect(railOf(stuck)[0]!.cause).toEqual({ kind: "stuck", words: { code: "stuck", ...makeStuck().title } });
    expect(railOf(withStuck(stuck, []))[0]!.cause).toEqual({ kind: "worker" });
    expect(withStuck(ticket, [])).toBe(ticket);
  });
});
