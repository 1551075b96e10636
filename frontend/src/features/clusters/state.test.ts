import { describe, expect, it } from "vitest";
import type { TopologyNodeOut } from "../../api/client";
import { columnsFor, healthCounts, MOST_DRAWN, pictureOf } from "./topology";

const node = (n: number, changes: Partial<TopologyNodeOut> = {}): TopologyNodeOut =>
  ({ id: `n${n}`, name: `n${n}`, roles: ["worker"], datacenter: "bj", room: "a", rack: `r${n % 12}`, health: "ready", ...changes }) as TopologyNodeOut;

describe("topology", () => {
  it("draws masters by themselves and workers by rack, racks in natural order", () => {
    const picture = pictureOf([node(1, { roles: ["controlplane", "etcd"] }), node(10), node(2), node(22)]);
    expect(picture.masters.map((one) => one.id)).toEqual(["n1"]);
    expect(picture.racks.map((rack) => [rack.title, rack.nodes.length])).toEqual([["bj / a / r2", 1], ["bj / a / r10", 2]]);
    expect(picture.collapsed).toBe(false);
  });
  it("collapses racks when there are too many nodes to draw, until enough of them are opened", () => {
    const many = Array.from({ length: MOST_DRAWN + 1 }, (_, n) => node(n));
    const picture = pictureOf(many);
    expect(picture.collapsed).toBe(true);
    expect(pictureOf(many, new Set(picture.racks.map((rack) => rack.id))).collapsed).toBe(false);
  });
  it("counts health, the worst first, and calls what was never looked at unknown", () => {
    const nodes = [node(1), node(2, { health: null }), node(3, { health: "not_ready" }), node(4)];
    expect(healthCounts(nodes)).toEqual([["not_ready", 1], ["unknown", 1], ["ready", 2]]);
  });
  it("lays racks out about square", () => {
    expect(columnsFor(0)).toBe(1);
    expect(columnsFor(40)).toBe(8);
  });
});
