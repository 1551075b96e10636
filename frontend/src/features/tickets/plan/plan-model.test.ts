import { describe, expect, it } from "vitest";
import { makeNode } from "../../../test/tickets";
import { findingsOf, gridOf, isRed, onlyRed } from "../checks/check-grid";
import type { Plan } from "../types";
import { checksOf, driftOf, levelCounts, partsOf } from "./plan-model";

const plan = (body: Record<string, unknown>, changes: Partial<Plan> = {}): Plan =>
  ({ step: "join", round: 1, plan_hash: "h", body: { plan: body }, problems: [], created_at: "", superseded_at: null, superseded_reason: null, ...changes }) as Plan;

const words = (text: string) => ({ zh: text, en: text });
const result = (node: string, check: string, level: string) => ({ node, check, level, seen: words(`${node} ${check}`), remedy: words("") });

describe("a plan", () => {
  it("names its targets from the fullest list, with the role that is added", () => {
    const adds = [{ hostname: "n1", address: "10.0.0.1", role: ["worker"] }];
    const targets = [{ hostname: "n1", address: "10.0.0.1", labels: { pool: "a" }, taints: [{ key: "k", value: "v", effect: "NoSchedule" }], has_gpu: true }];
    expect(partsOf(plan({ adds, targets })).targets).toEqual([
      { hostname: "n1", address: "10.0.0.1", roles: ["worker"], labels: ["pool=a"], taints: ["k=v:NoSchedule"], gpu: true },
    ]);
    expect(partsOf(plan({ adds })).targets[0]!.roles).toEqual(["worker"]);
    expect(partsOf(plan({ machines: ["n1", "n2"] })).targets.map((one) => one.hostname)).toEqual(["n1", "n2"]);
  });

  it("lists containers in their order, with the command as it will be", () => {
    const containers = [
      { name: "kubelet", order: 2, create: { Image: "k:1", Entrypoint: ["/run", "kubelet"], Cmd: ["--v=2"] } },
      { name: "proxy", order: 1, create: { Image: "p:1", Cmd: null } },
    ];
    const [node] = partsOf(plan({ nodes: { n1: { containers, images: [{ name: "k:1" }], node_object: { labels: { a: "b" }, taints: ["x=y:NoExecute"] } } } })).nodes;
    expect(node!.containers.map((one) => [one.name, one.image, one.command])).toEqual([
      ["proxy", "p:1", []],
      ["kubelet", "k:1", ["/run", "kubelet", "--v=2"]],
    ]);
    expect([node!.labels, node!.taints, node!.images]).toEqual([["a=b"], ["x=y:NoExecute"], ["k:1"]]);
  });

  it("tells a catalogue of checks from results of checks", () => {
    expect(partsOf(plan({ checks: [{ id: "clock", title: words("clock") }] }))).toMatchObject({ checks: null, catalogue: [{ id: "clock" }] });
    const report = { results: [result("n1", "clock", "error")], not_run: [{ node: "n1", check: "docker", because: "ssh" }] };
    expect(checksOf(report)?.map((one) => [one.check, one.level])).toEqual([["clock", "error"], ["docker", "notrun"]]);
    expect(levelCounts(checksOf(report)!)).toEqual({ ok: 0, warning: 0, error: 1, unknown: 0, notrun: 1 });
  });

  it("shows what it does not know, and bears nonsense", () => {
    expect(partsOf(plan({ order: { id: 1 }, cluster: "alpha", diff: ["+ a", 7] }))).toMatchObject({
      rest: { order: { id: 1 } },
      facts: [{ key: "cluster", value: "alpha" }],
      diff: ["+ a"],
    });
    const nonsense = partsOf(plan({ targets: "x", nodes: [1], checks: 5, tasks: null, settings: {}, variables: [] }));
    expect([nonsense.targets, nonsense.nodes, nonsense.checks, nonsense.tasks, nonsense.settings, nonsense.variables]).toEqual([[], [], null, [], [], null]);
    expect(partsOf({ ...plan({}), body: {} }).rest).toEqual({});
  });

  it("that was given up says what had drifted", () => {
    const given = plan({}, { superseded_reason: { drift: [{ key: "facts of n1", planned: "a", now: "b" }] } });
    expect(driftOf(given)).toEqual([{ key: "facts of n1", planned: "a", now: "b" }]);
    expect(driftOf(plan({}))).toEqual([]);
  });
});

describe("the grid of checks", () => {
  const results = checksOf({ results: [result("", "rkestate", "warning"), result("n1", "clock", "ok"), result("n2", "clock", "error"), result("n1", "docker", "ok"), result("n2", "docker", "ok")] })!;
  const grid = gridOf(results, [{ id: "clock", title: words("The clock agrees") }]);

  it("keeps the cluster apart and knows the worst of each row and column", () => {
    expect(grid.cluster.map((one) => one.check)).toEqual(["rkestate"]);
    expect(grid.rows.map((row) => [row.node, row.worst])).toEqual([["n1", "ok"], ["n2", "error"]]);
    expect(grid.columns.map((column) => [column.id, column.title?.en ?? null, column.worst, column.bad])).toEqual([
      ["clock", "The clock agrees", "error", 1],
      ["docker", null, "ok", 0],
    ]);
  });

  it("can show only what did not pass", () => {
    const red = onlyRed(grid);
    expect([red.cluster.length, red.rows.map((row) => row.node), red.columns.map((column) => column.id)]).toEqual([1, ["n2"], ["clock"]]);
    expect((["ok", "notrun", "warning", "unknown", "error"] as const).map(isRed)).toEqual([false, false, true, true, true]);
  });

  it("reads findings of nodes from the newest attempt of the step, each once", () => {
    const evidence = (...list: unknown[]) => ({ findings: list });
    const nodes = [
      makeNode("a", [
        { step: "validate", state: "FAILED", evidence: evidence(result("node-a", "clock", "error")) },
        { step: "validate", state: "SUCCEEDED", attempt_n: 4, evidence: evidence(result("", "rkestate", "warning")) },
      ]),
      makeNode("b", [{ step: "validate", state: "SUCCEEDED", evidence: evidence(result("", "rkestate", "warning"), "junk") }]),
      makeNode("*", [{ step: "validate", state: "SUCCEEDED", evidence: evidence(result("x", "y", "error")) }]),
    ];
    expect(findingsOf(nodes, "validate").map((one) => [one.node, one.check])).toEqual([["", "rkestate"]]);
  });
});
