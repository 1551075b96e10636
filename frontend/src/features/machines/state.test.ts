import { describe, expect, it } from "vitest";
import type { GridState } from "../../components/grid/types";
import { filterOf } from "./export-menu";
import { FACETS, KINDS, operatorsOf, parsed, quick, withFilter, withoutFilter, written } from "./filters";
import { exportUrl } from "./queries";
import { lookOf, readMachineSearch } from "./search";
import { allOf, choiceOf, count, isSelected, matching, NOTHING, toggled } from "./selection";

describe("filters", () => {
  it("come back from their text, colons in the value included", () => {
    const filter = { column: "address", operator: "within", value: "fd00::/64" };
    expect(parsed(written(filter))).toEqual(filter);
    expect(parsed("nonsense")).toBeNull();
  });
  it("replace one of the same column and operator, and go when emptied", () => {
    const filters = withFilter(["state:in:free", "rack:in:A"], { column: "state", operator: "in", value: "fault" });
    expect(filters).toEqual(["rack:in:A", "state:in:fault"]);
    expect(withFilter(filters, { column: "state", operator: "in", value: "" })).toEqual(["rack:in:A"]);
    expect(withoutFilter(filters, "rack:in:A")).toEqual(["state:in:fault"]);
  });
  it("know every column that offers its values", () => {
    for (const column of FACETS) expect(KINDS).toHaveProperty(column);
    for (const column of Object.keys(KINDS)) expect(operatorsOf(column).length).toBeGreaterThan(0);
  });
  it("tell networks, addresses and names apart in the quick search", () => {
    expect(quick("10.1.0.0/16").operator).toBe("within");
    expect(quick("10.1.").operator).toBe("prefix");
    expect(quick(" web-01 ")).toEqual({ column: "hostname", operator: "contains", value: "web-01" });
  });
});

describe("selection", () => {
  it("goes row by row", () => {
    const some = toggled(NOTHING, ["a", "b"], true);
    expect(count(some)).toBe(2);
    expect(isSelected(toggled(some, ["a"], false), "a")).toBe(false);
    expect(choiceOf(some)).toEqual({ ids: ["a", "b"] });
  });
  it("holds all that match without their ids, and leaves some out", () => {
    const all = toggled(matching(["state:in:free"], 4812), ["x"], false);
    expect(count(all)).toBe(4811);
    expect(isSelected(all, "x")).toBe(false);
    expect(isSelected(all, "never loaded")).toBe(true);
    expect(choiceOf(all)).toEqual({ filter: ["state:in:free"], exclude_ids: ["x"] });
    expect(count(toggled(all, ["x"], true))).toBe(4812);
  });
  it("says for the box in the header whether none, some or all loaded rows are chosen", () => {
    const one = toggled(NOTHING, ["a"], true);
    expect(allOf(["a", "b"], NOTHING)).toBe("none");
    expect(allOf(["a", "b"], one)).toBe("some");
    expect(allOf(["a"], one)).toBe("all");
    expect(allOf(["c"], one)).toBe("some");
  });
});

describe("address", () => {
  const begin: GridState = { order: [], hidden: ["unit"], collapsed: [], left: ["hostname"], right: [], widths: {}, density: "compact" };
  it("holds only what differs from the beginning", () => {
    expect(lookOf(begin, begin)).toBeUndefined();
    expect(lookOf({ ...begin, hidden: [], density: "normal" }, begin)).toEqual({ hidden: [], density: "normal" });
  });
  it("takes nothing it does not understand", () => {
    expect(readMachineSearch({ filter: "x", sort: 3, look: { density: "huge", hidden: [1, "rack"] }, machine: "" })).toEqual({
      look: { hidden: ["rack"] },
    });
    expect(readMachineSearch({ filter: ["state:in:free", 7], sort: "-rack" })).toEqual({ filter: ["state:in:free"], sort: "-rack" });
  });
});

describe("export", () => {
  it("asks for exactly the chosen machines, or for none", () => {
    expect(filterOf(NOTHING)).toBeNull();
    expect(filterOf(toggled(NOTHING, ["a"], true))).toEqual(["id:in:a"]);
    expect(filterOf(toggled(NOTHING, Array.from({ length: 501 }, (_, n) => `m${n}`), true))).toBeNull();
    expect(filterOf(matching(["rack:in:A"], 9000))).toEqual(["rack:in:A"]);
    expect(filterOf(toggled(matching([], 9000), ["a"], false))).toBeNull();
  });
  it("writes the address of a download", () => {
    const url = exportUrl(["rack:in:A&B"], "-rack", ["hostname", "rack"], "csv");
    expect(url).toBe("/api/v1/machines/export?filter=rack%3Ain%3AA%26B&sort=-rack&columns=hostname%2Crack&format=csv");
  });
});
