import { describe, expect, it } from "vitest";
import { toggled, walk } from "./use-matrix-keys";

describe("walking a matrix", () => {
  const at = { row: 5, column: 1 };
  it.each([
    ["ArrowDown", false, { row: 6, column: 1 }],
    ["ArrowUp", false, { row: 4, column: 1 }],
    ["ArrowRight", false, { row: 5, column: 2 }],
    ["ArrowLeft", false, { row: 5, column: 0 }],
    ["PageDown", false, { row: 20, column: 1 }],
    ["PageUp", false, { row: 0, column: 1 }],
    ["Home", false, { row: 5, column: -1 }],
    ["End", false, { row: 5, column: 3 }],
    ["Home", true, { row: 0, column: -1 }],
    ["End", true, { row: 99, column: 3 }],
    ["x", false, null],
  ])("%s (ctrl %s)", (key, control, to) => expect(walk(key, control, at, 100, 4)).toEqual(to));

  it("stops at the edges; the head of a row is left of the first column", () => {
    expect(walk("ArrowLeft", false, { row: 0, column: -1 }, 10, 4)).toEqual({ row: 0, column: -1 });
    expect(walk("ArrowRight", false, { row: 0, column: 3 }, 10, 4)).toEqual({ row: 0, column: 3 });
    expect(walk("ArrowDown", false, { row: 9, column: 0 }, 10, 4)).toEqual({ row: 9, column: 0 });
  });
});

describe("choosing", () => {
  it("adds what is missing, and takes away only what is chosen as a whole", () => {
    expect([...toggled(new Set(["a"]), ["a", "b"])]).toEqual(["a", "b"]);
    expect([...toggled(new Set(["a", "b", "c"]), ["a", "b"])]).toEqual(["c"]);
  });
});
