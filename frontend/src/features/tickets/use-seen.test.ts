import { describe, expect, it } from "vitest";
import { makeStep, makeTicket } from "../../test/tickets";
import { unseen } from "./use-seen";

describe("what is told to be seen", () => {
  it("is each plan that is shown and was not the last one seen", () => {
    const steps = [makeStep("a", { plan_hash: "1" }), makeStep("b", { plan_hash: "2" }), makeStep("c")];
    const ticket = makeTicket(steps, { seen: { seq: 1, plan_hashes: { a: "1", b: "old" }, at: "2026-11-25T21:00:00Z" } });
    expect(unseen(ticket, steps)).toBe("b 2");
    expect(unseen({ ...ticket, seen: null }, steps)).toBe("a 1,b 2");
    expect(unseen(ticket, [])).toBe("");
  });
});
