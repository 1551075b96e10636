import { describe, expect, it } from "vitest";
import { nextCell, nextSort, sortOf } from "./keyboard";
import { arrange, initialState, invisible, runs } from "./layout";
import type { GridColumn } from "./types";

const column = (id: string, extra: Partial<GridColumn<null>> = {}): GridColumn<null> => ({
  id, title: id, width: 100, render: () => null, ...extra,
});
const columns = [column("a", { pin: "left", group: "g", always: true }), column("b", { group: "g" }), column("c", { group: "h" }), column("d", { group: "h", hidden: true }), column("e", { group: "h" }), column("z", { pin: "right" })];
const width = (one: GridColumn<null>) => one.width;

describe("columns", () => {
  it("begin as they are described", () => {
    expect(initialState(columns)).toMatchObject({ left: ["a"], right: ["z"], hidden: ["d"], collapsed: [] });
  });

  it("of a folded group leave the first shown one", () => {
    const state = { ...initialState(columns), collapsed: ["g", "h"] };
    expect([...invisible(columns, state)].sort()).toEqual(["b", "d", "e"]);
    expect([...invisible(columns, { ...state, hidden: ["c", "a"] })].sort()).toEqual(["b", "c", "e"]);
  });

  it("stand beside each other, pinned ones by their edge, and fill the width", () => {
    const parts = { left: [columns[0]!], center: [columns[1]!, columns[2]!], right: [column("y"), columns[5]!] };
    const layout = arrange(parts, width, true, 1000);
    expect(layout.left.map((one) => one.offset)).toEqual([44]);
    expect(layout.center.map((one) => [one.offset, one.width, one.index])).toEqual([[0, 100, 1], [100, 556, 2]]);
    expect(layout.right.map((one) => one.offset)).toEqual([100, 0]);
    expect(layout.width).toBe(1000);
    expect(arrange(parts, width, false, 0).width).toBe(500);
  });

  it("run together by group", () => {
    const layout = arrange({ left: [], center: [columns[1]!, columns[2]!, columns[4]!], right: [] }, width, false, 0);
    expect(runs(layout.center).map((run) => [run.group, run.columns.length, run.width])).toEqual([["g", 1, 100], ["h", 2, 200]]);
  });
});

describe("keys", () => {
  const bounds = { firstRow: -1, rows: 100, columns: 5, page: 10 };
  const press = (key: string, row: number, at: number, ctrlKey = false) => nextCell({ key, ctrlKey, metaKey: false }, { row, column: at }, bounds);

  it.each([
    ["ArrowDown", 0, 0, false, 1, 0],
    ["ArrowUp", 0, 2, false, -1, 2],
    ["ArrowUp", -1, 2, false, -1, 2],
    ["ArrowLeft", 3, 0, false, 3, 0],
    ["ArrowRight", 3, 4, false, 3, 4],
    ["ArrowDown", 3, 1, true, 99, 1],
    ["Home", 3, 4, false, 3, 0],
    ["End", 3, 0, true, 99, 4],
    ["PageDown", 95, 0, false, 99, 0],
    ["PageUp", 5, 0, false, 0, 0],
  ])("%s from %i,%i (Ctrl %s) leads to %i,%i", (key, row, at, control, toRow, toColumn) => {
    expect(press(key, row, at, control)).toEqual({ row: toRow, column: toColumn });
  });

  it("that are not the grid's are left alone", () => expect(press("a", 0, 0)).toBeNull());

  it("stay in the header when there are no rows", () => {
    expect(nextCell({ key: "ArrowDown", ctrlKey: false, metaKey: false }, { row: -1, column: 0 }, { ...bounds, rows: 0 })).toEqual({ row: -1, column: 0 });
  });

  it("sort up, down, not", () => {
    expect([nextSort("a", null), nextSort("a", "a"), nextSort("a", "-a"), nextSort("a", "b")]).toEqual(["a", "-a", null, "a"]);
    expect([sortOf("a", "-a"), sortOf("a", "a"), sortOf("a", "b"), sortOf(undefined, "a")]).toEqual(["desc", "asc", null, null]);
  });
});
