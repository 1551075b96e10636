import { describe, expect, it } from "vitest";
import { cursorAt, type Gate, itemOf, keyOf, late, readInboxSearch, type Row, signable, subjectsOf, waitingSince } from "./state";

const gate = (id: string, changes: Partial<Gate> = {}): Gate => ({
  gate_id: id,
  subject_hash: id.repeat(64).slice(0, 64),
  step: "join",
  phase: "PRE",
  title: { zh: "加入", en: "Join" },
  effect: "CONVERGENT",
  opened_at: "2026-11-25T20:00:00Z",
  quorum: 1,
  approvals_n: 0,
  may_sign: true,
  reason: null,
  acting_for: null,
  ...changes,
});

const row = (id: string, gates: Gate[]): Row => ({ ticket: { id, number: 1 }, gates }) as unknown as Row;

describe("what one decision signs", () => {
  it("takes gates that one may sign, all for the same person", () => {
    const mixed = row("t", [gate("a", { may_sign: false }), gate("b", { acting_for: "x" }), gate("c"), gate("d", { acting_for: "x" })]);
    expect(signable(mixed).map((one) => one.gate_id)).toEqual(["b", "d"]);
    expect(itemOf(mixed, "approve")).toEqual({
      ticket_id: "t",
      gates: [{ gate_id: "b", subject_hash: "b".repeat(64) }, { gate_id: "d", subject_hash: "d".repeat(64) }],
      acting_for: "x",
    });
    expect(itemOf(mixed, "reject").gates).toHaveLength(1);
  });

  it("is about the chosen rows, else the one under the cursor, never about rows without a gate of one's own", () => {
    const rows = [row("1", [gate("a")]), row("2", [gate("b", { may_sign: false })]), row("3", [gate("c")])];
    const ids = (found: Row[]) => found.map((one) => one.ticket.id);
    expect(ids(subjectsOf(rows, new Set(), 2))).toEqual(["3"]);
    expect(ids(subjectsOf(rows, new Set(["1", "2", "gone"]), 2))).toEqual(["1"]);
    expect(subjectsOf(rows, new Set(), 1)).toEqual([]);
    expect(subjectsOf([], new Set(), -1)).toEqual([]);
  });

  it("waits since its oldest gate, too long after a day", () => {
    const since = waitingSince(row("t", [gate("a"), gate("b", { opened_at: "2026-11-25T19:00:00Z" })]));
    expect(since).toBe("2026-11-25T19:00:00Z");
    expect(late(since, Date.parse("2026-11-26T18:00:00Z"))).toBe(false);
    expect(late(since, Date.parse("2026-11-26T20:00:00Z"))).toBe(true);
  });
});

describe("keys", () => {
  const press = (key: string, html = "", extra: object = {}) => {
    document.body.innerHTML = html;
    return keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, isComposing: false, target: document.body.querySelector("[data-at]"), ...extra });
  };

  it("act on the list, in either case, and never while somebody types", () => {
    expect([press("j"), press("K"), press("A"), press("?"), press("x")]).toEqual(["next", "previous", "approve", "help", null]);
    expect(press("a", "<input data-at>")).toBeNull();
    expect(press("r", "<div role=dialog><button data-at></button></div>")).toBeNull();
    expect(press("j", "<input type=checkbox data-at>")).toBe("next");
    expect(press("a", "", { ctrlKey: true })).toBeNull();
  });

  it("leave Enter and Space to links, buttons and boxes", () => {
    expect([press("Enter", "<a href=x data-at></a>"), press(" ", "<input type=checkbox data-at>")]).toEqual([null, null]);
    expect([press("Enter", "<p data-at></p>"), press(" ", "<p data-at></p>")]).toEqual(["open", "select"]);
  });

  it("keep their row, or what has taken its place", () => {
    expect(cursorAt(["a", "b", "c"], "c", 0)).toBe(2);
    expect(cursorAt(["a", "c"], "b", 1)).toBe(1);
    expect(cursorAt(["a"], "b", 5)).toBe(0);
    expect(cursorAt([], "b", 5)).toBe(-1);
  });
});

it("reads only known tabs from the address", () => {
  expect([readInboxSearch({ tab: "done" }), readInboxSearch({ tab: "x" })]).toEqual([{ tab: "done" }, {}]);
});
