import { describe, expect, it } from "vitest";
import { makeNode, makeStep } from "../../test/tickets";
import { failedAddresses, nodeCauses, pattern, planCauses } from "./causes";
import {
  cellKey,
  columnsOf,
  filtered,
  latest,
  nodeState,
  openNodes,
  rectangle,
  retryable,
  retryStep,
  ROW,
  seconds,
  selectedNodes,
  stateCounts,
  toMatrix,
  withChanges,
} from "./matrix";

const STEPS = [makeStep("one", { state: "DONE" }), makeStep("two", { state: "PARTIAL" }), makeStep("whole", { unit: "TICKET" })];
const COLUMNS = columnsOf(STEPS);
const done = { step: "one", state: "SUCCEEDED" };

const NODES = toMatrix([
  makeNode("a", [done, { step: "two", state: "SUCCEEDED" }]),
  makeNode("b", [done, { step: "two", state: "FAILED" }]),
  makeNode("c", [done, { step: "two", state: "FAILED" }, { step: "two", state: "UNREACHABLE", attempt_n: 4 }]),
  makeNode("d", [], { excluded_at: "2026-11-25T21:00:00Z", excluded_reason: "broken" }),
  makeNode("e"),
  makeNode("*", [{ step: "whole", state: "SUCCEEDED" }]),
]);

describe("the matrix", () => {
  it("holds nodes only, each with every attempt of each step", () => {
    expect(NODES.map((node) => node.id)).toEqual(["a", "b", "c", "d", "e"]);
    expect(NODES[2]!.results["two"]!.map((one) => one.n)).toEqual([2, 4]);
    expect(latest(NODES[2]!, "two")?.state).toBe("UNREACHABLE");
    expect(COLUMNS.map((step) => step.key)).toEqual(["one", "two"]);
  });

  it("says of a node what happened last", () => {
    expect(NODES.map((node) => nodeState(node, COLUMNS))).toEqual(["SUCCEEDED", "FAILED", "UNREACHABLE", "EXCLUDED", "PENDING"]);
    expect(stateCounts(NODES, COLUMNS)).toEqual({ SUCCEEDED: 1, FAILED: 1, UNREACHABLE: 1, EXCLUDED: 1, PENDING: 1 });
  });

  it("is filtered by state and by any of several names or addresses", () => {
    const ids = (filter: Parameters<typeof filtered>[2]) => filtered(NODES, COLUMNS, filter).map((node) => node.id);
    expect(ids({ state: "FAILED" })).toEqual(["b"]);
    expect(ids({ text: "NODE-a, 10.0.0.3" })).toEqual(["a", "c"]);
    expect(ids({ state: "FAILED", text: "node-a" })).toEqual([]);
    expect(ids({})).toHaveLength(5);
  });

  it("changes only the nodes that changed", () => {
    const change = { nodeId: "b", step: "two", n: 4, state: "RUNNING", summary: "", error: null, startedAt: "2026-11-25T21:01:00Z", endedAt: null };
    const next = withChanges(NODES, [change, { ...change, state: "SUCCEEDED" }]);
    expect(next.map((node, at) => node === NODES[at])).toEqual([true, false, true, true, true]);
    expect(next[1]!.results["two"]!.map((one) => [one.n, one.state])).toEqual([[2, "FAILED"], [4, "SUCCEEDED"]]);
    expect(latest(NODES[1]!, "two")?.n).toBe(2);
    expect(withChanges(NODES, [{ ...change, nodeId: "nobody" }])[1]).toBe(NODES[1]);
  });

  it("counts a running result until now", () => {
    const now = Date.parse("2026-11-25T21:00:10Z");
    expect(seconds({ startedAt: "2026-11-25T21:00:00Z", endedAt: null }, now)).toBe(10);
    expect(seconds({ startedAt: "2026-11-25T21:00:00Z", endedAt: "2026-11-25T21:00:03Z" }, now)).toBe(3);
    expect(seconds({ startedAt: null, endedAt: null }, now)).toBeNull();
    expect(seconds({ startedAt: "2026-11-25T22:00:00Z", endedAt: null }, now)).toBe(0);
  });
});

describe("a selection", () => {
  const rows = new Set(["a", "b", "c", "d"].map((id) => cellKey(id, ROW)));

  it("retries exactly the chosen nodes that are open in the failed step", () => {
    expect(retryStep(STEPS)?.key).toBe("two");
    expect(retryable(NODES, STEPS, rows).map((node) => node.id)).toEqual(["b", "c"]);
    expect(retryable(NODES, STEPS, new Set([cellKey("b", "two"), cellKey("c", "one")])).map((node) => node.id)).toEqual(["b"]);
    expect(retryable(NODES, [STEPS[0]!], rows)).toEqual([]);
    expect(openNodes(NODES, "two").map((node) => node.id)).toEqual(["b", "c", "e"]);
  });

  it("knows its nodes, each once", () => {
    expect(selectedNodes(new Set([cellKey("a", "one"), cellKey("a", "two"), cellKey("b", ROW)]))).toEqual(["a", "b"]);
  });

  it("spans a rectangle in either direction", () => {
    const keys = rectangle(NODES, ["one", "two"], { row: 1, column: 1 }, { row: 0, column: 0 });
    expect(keys).toEqual([cellKey("a", "one"), cellKey("a", "two"), cellKey("b", "one"), cellKey("b", "two")]);
    expect(rectangle(NODES, ["one"], { row: 4, column: 0 }, { row: 9, column: 0 })).toEqual([cellKey("e", "one")]);
  });
});

describe("causes of a failure", () => {
  const error = (name: string) => ({
    code: "docker-error",
    cause: { zh: `${name} 的 Docker 拒绝`, en: `Docker on ${name} refused after 12 s` },
    remedy: { zh: "清理磁盘", en: "free some space" },
  });
  const failed = toMatrix([
    makeNode("a", [{ step: "two", state: "FAILED", error: error("node-a") }]),
    makeNode("b", [{ step: "two", state: "UNREACHABLE", summary: "no answer" }]),
    makeNode("c", [{ step: "two", state: "FAILED", error: error("node-c") }]),
    makeNode("d", [{ step: "two", state: "FAILED", error: error("node-d") }], { excluded_at: "2026-11-25T21:00:00Z" }),
    makeNode("e", [{ step: "two", state: "SUCCEEDED" }]),
  ]);

  it("are one for all nodes that it struck, the most frequent first", () => {
    const causes = nodeCauses(failed, "two");
    expect(causes.map((cause) => [cause.code, cause.nodes.map((node) => node.id)])).toEqual([
      ["docker-error", ["a", "c"]],
      ["unreachable", ["b"]],
    ]);
    expect(causes[0]!.remedy.en).toBe("free some space");
    expect(failedAddresses(causes)).toEqual(["10.0.0.1", "10.0.0.3", "10.0.0.2"]);
  });

  it("do not differ by name, address or number", () => {
    expect(pattern("x1 at 10.0.0.1 took 12 s", { name: "x1", address: "10.0.0.1" })).toBe("… at … took # s");
    expect(pattern("plain", { name: "", address: "" })).toBe("plain");
  });

  it("of a plan are its blocking findings and its own error", () => {
    const problem = (node: string | null, blocking = true) => ({ code: "clock", node, seen: { zh: "慢", en: `${node} is late` }, remedy: { zh: "", en: "" }, blocking });
    const step = makeStep("two", {
      state: "PLAN_FAILED",
      problems: [problem("node-a"), problem("node-b"), problem("node-c", false), problem(null)],
      result: { error: { code: "planning-lost", cause: { zh: "丢失", en: "lost" } } },
    });
    const causes = planCauses(step, failed);
    expect(causes.map((cause) => [cause.code, cause.nodes.length])).toEqual([["clock", 2], ["planning-lost", 0], ["clock", 0]]);
    expect(failedAddresses(causes)).toEqual(["10.0.0.1", "10.0.0.2"]);
  });
});
