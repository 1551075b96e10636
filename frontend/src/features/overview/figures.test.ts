import { describe, expect, it } from "vitest";
import { outcomes, places, spanOf } from "./figures";

describe("overview", () => {
  it("gives one series per state that occurs, places by size", () => {
    const found = places([
      { datacenter: "bj", state: "free", count: 2 },
      { datacenter: "sh", state: "in_cluster", count: 9 },
      { datacenter: "bj", state: "in_cluster", count: 1 },
    ]);
    expect(found.names).toEqual(["sh", "bj"]);
    expect(found.series).toEqual([
      { state: "free", counts: [0, 2] },
      { state: "in_cluster", counts: [9, 1] },
    ]);
  });
  it("says lengths of time as people do", () => {
    expect(spanOf(45.4)).toEqual({ value: 45, unit: "s" });
    expect(spanOf(600)).toEqual({ value: 10, unit: "min" });
    expect(spanOf(9000)).toEqual({ value: 2.5, unit: "h" });
    expect(spanOf(345_600)).toEqual({ value: 4, unit: "d" });
  });
  it("leaves no outcome out, known or not", () => {
    expect(outcomes({ NEW: 1, FAILED: 2, SUCCEEDED: 3 }).map(([name]) => name)).toEqual(["SUCCEEDED", "FAILED", "NEW"]);
  });
});
