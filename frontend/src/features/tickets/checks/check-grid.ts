/** Results of checks as a grid of nodes and checks. Pure. */
import type { Words } from "../../../api/client";
import { type CheckResult, type Level, type PlanParts } from "../plan/plan-model";
import { isRecord, isWords, type TicketNode, WHOLE } from "../types";

/** The node's name in results that concern the cluster itself. */
export const CLUSTER = "";

export type CheckRow = { node: string; results: Readonly<Record<string, CheckResult>>; worst: Level };
export type CheckColumn = { id: string; title: Words | null; worst: Level; bad: number };
/** Checks of the cluster stand apart: no node has a result of theirs. */
export type Grid = { cluster: CheckResult[]; rows: CheckRow[]; columns: CheckColumn[] };

const WEIGHT: Record<Level, number> = { error: 4, unknown: 3, warning: 2, notrun: 1, ok: 0 };
const RED = new Set<Level>(["error", "warning", "unknown"]);

export const isRed = (level: Level): boolean => RED.has(level);
const worse = (one: Level, other: Level): Level => (WEIGHT[other] > WEIGHT[one] ? other : one);

export function gridOf(results: readonly CheckResult[], catalogue: PlanParts["catalogue"]): Grid {
  const titles = new Map(catalogue.map(({ id, title }) => [id, title]));
  const rows = new Map<string, { results: Record<string, CheckResult>; worst: Level }>();
  const columns = new Map<string, CheckColumn>();
  for (const one of results) {
    if (one.node === CLUSTER) continue;
    const row = rows.get(one.node) ?? { results: {}, worst: "ok" as Level };
    row.results[one.check] = one;
    row.worst = worse(row.worst, one.level);
    rows.set(one.node, row);
    const column = columns.get(one.check) ?? { id: one.check, title: titles.get(one.check) ?? null, worst: "ok" as Level, bad: 0 };
    column.worst = worse(column.worst, one.level);
    if (isRed(one.level)) column.bad += 1;
    columns.set(one.check, column);
  }
  return {
    cluster: results.filter((one) => one.node === CLUSTER),
    rows: [...rows].map(([node, row]) => ({ node, ...row })),
    columns: [...columns.values()],
  };
}

/** Only what a person must read: rows and columns with a result that is not ok. */
export function onlyRed(grid: Grid): Grid {
  return {
    cluster: grid.cluster.filter((one) => isRed(one.level)),
    rows: grid.rows.filter((row) => isRed(row.worst)),
    columns: grid.columns.filter((column) => isRed(column.worst)),
  };
}

/** What the validate step found at each node. Its evidence names only what is not ok. */
export function findingsOf(nodes: readonly TicketNode[], step: string): CheckResult[] {
  const found = new Map<string, CheckResult>();
  for (const node of nodes) {
    if (node.node_id === WHOLE) continue;
    const newest = node.results.findLast((one) => one.step === step);
    const list = newest?.evidence["findings"];
    for (const one of Array.isArray(list) ? list.filter(isRecord) : []) {
      const result = asResult(one);
      found.set(`${result.node} ${result.check}`, result);
    }
  }
  return [...found.values()];
}

function asResult(one: Record<string, unknown>): CheckResult {
  return {
    node: String(one["node"] ?? ""),
    check: String(one["check"] ?? ""),
    level: String(one["level"]) as Level,
    seen: isWords(one["seen"]) ? one["seen"] : { zh: "", en: "" },
    remedy: isWords(one["remedy"]) ? one["remedy"] : { zh: "", en: "" },
  };
}
