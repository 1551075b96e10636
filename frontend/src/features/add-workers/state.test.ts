import { describe, expect, it } from "vitest";
import { ended, failedRows, heard, NO_REPORT, shownChecks, started, verdict } from "./check-results";
import {
  barrier, batchSizes, type Chosen, emptyDraft, missing, MOST_MACHINES, pastedKeys, readDraft, requestOf, withMachines, withoutMachine,
} from "./draft";

const machine = (id: string): Chosen => ({ id, hostname: `host-${id}`, address: "10.0.0.1", rack: "r1" });
const words = (text: string) => ({ zh: text, en: text });

describe("draft", () => {
  it("survives storage, and is not fooled by what else may stand there", () => {
    const draft = { ...emptyDraft("k"), cluster_id: "c", machines: [machine("a")] };
    expect(readDraft(JSON.stringify(draft))).toEqual(draft);
    for (const text of [null, "", "{", "[]", "3", '{"machines":1}']) expect(readDraft(text)).toBeNull();
  });
  it("takes each machine once and never more than a ticket takes", () => {
    const many = Array.from({ length: MOST_MACHINES + 5 }, (_, n) => machine(`m${n}`));
    const { draft, left } = withMachines(emptyDraft("k"), [machine("m0"), ...many]);
    expect(draft.machines).toHaveLength(MOST_MACHINES);
    expect(left).toBe(5);
    expect(withoutMachine(draft, "m0").machines).toHaveLength(MOST_MACHINES - 1);
  });
  it("sends a worker request without empty rows, and only the machines asked for", () => {
    const draft = {
      ...emptyDraft("k"),
      cluster_id: "c",
      machines: [machine("a"), machine("b")],
      labels: [{ key: "pool", value: "x" }, { key: "", value: "" }],
    };
    const request = requestOf(draft, new Set(["b"]));
    expect(request.machines).toEqual([{ machine_id: "b" }]);
    expect(request.labels).toEqual({ pool: "x" });
    expect(request).not.toHaveProperty("role");
  });
  it("says which step misses what, and lets nobody pass it", () => {
    const draft = emptyDraft("k");
    expect(barrier(draft, "preview")).toEqual({ step: "cluster", reason: "missing.cluster" });
    const chosen = { ...draft, cluster_id: "c" };
    expect(barrier(chosen, "preview")?.step).toBe("machines");
    const full = { ...chosen, machines: [machine("a")] };
    expect(barrier(full, "preview")).toBeNull();
    expect(missing({ ...full, labels: [{ key: "a", value: "1" }, { key: "a", value: "2" }] }, "settings")).toBe("missing.labelTwice");
    expect(missing({ ...full, labels: [{ key: "", value: "1" }] }, "settings")).toBe("missing.key");
    expect(missing({ ...full, taints: [{ key: "", value: "", effect: "NoSchedule" }] }, "settings")).toBe("missing.key");
  });
  it("puts the canary first", () => {
    expect(batchSizes(25, { canary: 1, size: 10, budget: 0 })).toEqual([1, 10, 10, 4]);
    expect(batchSizes(3, { canary: 0, size: 2, budget: 0 })).toEqual([2, 1]);
    expect(batchSizes(0, { canary: 1, size: 2, budget: 0 })).toEqual([]);
  });
  it("reads a pasted list however it is separated", () => {
    expect(pastedKeys(" 10.0.0.1\n host-a,host-b；SN1\t10.0.0.0/24 ")).toEqual(["10.0.0.1", "host-a", "host-b", "SN1", "10.0.0.0/24"]);
  });
});

describe("check results", () => {
  const checks = [{ id: "ssh", title: words("ssh"), scope: "machine" }, { id: "disk", title: words("disk"), scope: "machine" }];
  const start = { cluster: "alpha", checks, machines: ["a", "b"].map((id) => ({ machine_id: id, hostname: id, eligible: true })) };
  const result = (check: string, state: "ok" | "failed") => ({ check, state, message: null, remedy: null });

  it("goes from nothing over waiting to a verdict", () => {
    expect(verdict(NO_REPORT)).toBe("checks.notRun");
    let report = started(NO_REPORT, start);
    expect(verdict(report)).toBe("checks.running");
    report = heard(report, { machine_id: "a", hostname: "a", results: [result("ssh", "ok"), result("disk", "failed")] });
    report = ended(report, { seconds: 2 });
    expect(verdict(report)).toBe("checks.failed");
    expect(failedRows(report).map((row) => row.id)).toEqual(["a"]);
    expect(shownChecks(report, true).map((check) => check.id)).toEqual(["disk"]);
  });
  it("keeps the others when only the failed are checked again, and lets a second word win", () => {
    let report = ended(heard(started(NO_REPORT, start), { machine_id: "b", hostname: "b", results: [result("ssh", "ok")] }), { seconds: 1 });
    report = started(report, { ...start, machines: [start.machines[0]!] });
    expect(report.rows.map((row) => [row.id, row.done])).toEqual([["cluster", false], ["b", true], ["a", false]]);
    report = heard(report, { machine_id: "b", hostname: "b", results: [result("ssh", "failed")] });
    expect(failedRows(report).map((row) => row.id)).toEqual(["b"]);
  });
  it("gives the cluster its own row", () => {
    const report = heard(started(NO_REPORT, start), { machine_id: null, hostname: "alpha", results: [result("ssh", "failed")] });
    expect(failedRows(report).map((row) => row.id)).toEqual(["cluster"]);
  });
});
