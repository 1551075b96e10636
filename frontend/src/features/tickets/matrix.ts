/** The node × step matrix: what each cell shows, which nodes a filter leaves, what a selection may do. Pure. */
import type { MatrixNodeOut } from "../../api/client";
import { type Step, WHOLE } from "./types";

export type CellResult = {
  n: number;
  state: string;
  summary: string;
  error: unknown;
  startedAt: string | null;
  endedAt: string | null;
};

export type MatrixNode = {
  id: string;
  name: string;
  address: string;
  excludedAt: string | null;
  excludedReason: string | null;
  /** Every attempt of a step at this node, oldest first. */
  results: Readonly<Record<string, readonly CellResult[]>>;
};

/** Of a node as a whole: its newest result, `EXCLUDED`, or `PENDING` when nothing has begun. */
export const NODE_STATES = [
  "RUNNING",
  "FAILED",
  "UNREACHABLE",
  "UNKNOWN",
  "NOT_STARTED",
  "CANCELLED",
  "SUCCEEDED",
  "PENDING",
  "EXCLUDED",
] as const;

export function latest(node: MatrixNode, step: string): CellResult | null {
  return node.results[step]?.at(-1) ?? null;
}

/** One row of the api as a node of the matrix; the row of the whole ticket is no node. */
export function toNode(row: MatrixNodeOut): MatrixNode {
  const results: Record<string, CellResult[]> = {};
  for (const one of row.results) {
    (results[one.step] ??= []).push({
      n: one.attempt_n,
      state: one.state,
      summary: one.summary,
      error: one.error,
      startedAt: one.started_at,
      endedAt: one.ended_at,
    });
  }
  return {
    id: row.node_id,
    name: row.name,
    address: row.address ?? "",
    excludedAt: row.excluded_at,
    excludedReason: row.excluded_reason,
    results,
  };
}

export function toMatrix(rows: readonly MatrixNodeOut[]): MatrixNode[] {
  return rows.filter((row) => row.node_id !== WHOLE).map(toNode);
}

export type ResultChange = CellResult & { nodeId: string; step: string };

/** The matrix with some results changed. Nodes that did not change stay the same objects, so only changed rows paint. */
export function withChanges(nodes: readonly MatrixNode[], changes: readonly ResultChange[]): MatrixNode[] {
  const byNode = new Map<string, ResultChange[]>();
  for (const change of changes) byNode.set(change.nodeId, [...(byNode.get(change.nodeId) ?? []), change]);
  return nodes.map((node) => {
    const mine = byNode.get(node.id);
    return mine ? mine.reduce(withChange, node) : node;
  });
}

function withChange(node: MatrixNode, change: ResultChange): MatrixNode {
  const { nodeId: _node, step, ...result } = change;
  const others = (node.results[step] ?? []).filter((one) => one.n !== result.n);
  const list = [...others, result].sort((one, other) => one.n - other.n);
  return { ...node, results: { ...node.results, [step]: list } };
}

/** Columns: the steps that work node by node. A skipped one stays, so that its place in the flow can be seen. */
export function columnsOf(steps: readonly Step[]): Step[] {
  return steps.filter((step) => step.unit !== "TICKET");
}

export function nodeState(node: MatrixNode, columns: readonly Step[]): string {
  if (node.excludedAt !== null) return "EXCLUDED";
  for (let at = columns.length - 1; at >= 0; at -= 1) {
    const found = latest(node, columns[at]!.key);
    if (found) return found.state;
  }
  return "PENDING";
}

export function stateCounts(nodes: readonly MatrixNode[], columns: readonly Step[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const node of nodes) {
    const state = nodeState(node, columns);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

export type MatrixFilter = { state?: string | undefined; text?: string | undefined };

export function filtered(nodes: readonly MatrixNode[], columns: readonly Step[], filter: MatrixFilter): MatrixNode[] {
  const words = (filter.text ?? "").toLowerCase().split(/[\s,]+/).filter(Boolean);
  return nodes.filter((node) => {
    if (filter.state && nodeState(node, columns) !== filter.state) return false;
    if (words.length === 0) return true;
    const text = `${node.name} ${node.address}`.toLowerCase();
    return words.some((word) => text.includes(word));
  });
}

/** Seconds that a result took; of a running one until `now`. */
export function seconds(result: Pick<CellResult, "startedAt" | "endedAt">, now: number): number | null {
  if (result.startedAt === null) return null;
  const end = result.endedAt === null ? now : Date.parse(result.endedAt);
  return Math.max(0, (end - Date.parse(result.startedAt)) / 1000);
}

// --- selection -------------------------------------------------------------------------------------------------------

const SEPARATOR = "\u0000";
export const cellKey = (nodeId: string, step: string): string => nodeId + SEPARATOR + step;
export const ROW = "";

/** Selected cells by `cellKey`; a whole row is the cell of the step `ROW`. */
export type Selection = ReadonlySet<string>;

export function selectedNodes(selection: Selection): string[] {
  return [...new Set([...selection].map((key) => key.split(SEPARATOR)[0]!))];
}

function chosenFor(selection: Selection, step: string): Set<string> {
  const chosen = new Set<string>();
  for (const key of selection) {
    const [node = "", of = ""] = key.split(SEPARATOR);
    if (of === ROW || of === step) chosen.add(node);
  }
  return chosen;
}

const RETRYABLE = new Set(["PARTIAL", "FAILED", "PLAN_FAILED", "GATE_CLOSED"]);

/** The one step that a retry would plan again, or null. */
export function retryStep(steps: readonly Step[]): Step | null {
  return steps.find((step) => RETRYABLE.has(step.state)) ?? null;
}

/** Nodes of a step that a retry may touch: not left out, and not succeeded. */
export function openNodes(nodes: readonly MatrixNode[], step: string): MatrixNode[] {
  return nodes.filter((node) => node.excludedAt === null && latest(node, step)?.state !== "SUCCEEDED");
}

/** Of what is selected: those that the retry would touch. Done nodes are never run again, so they are left out here. */
export function retryable(nodes: readonly MatrixNode[], steps: readonly Step[], selection: Selection): MatrixNode[] {
  const step = retryStep(steps);
  if (!step) return [];
  const chosen = chosenFor(selection, step.key);
  return openNodes(nodes, step.key).filter((node) => chosen.has(node.id));
}

/** The rectangle of cells between two corners, in the order that is shown. */
export function rectangle(
  nodes: readonly MatrixNode[],
  columns: readonly string[],
  from: { row: number; column: number },
  to: { row: number; column: number },
): string[] {
  const keys: string[] = [];
  const [top, bottom] = [Math.min(from.row, to.row), Math.max(from.row, to.row)];
  const [left, right] = [Math.min(from.column, to.column), Math.max(from.column, to.column)];
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      const node = nodes[row];
      const step = columns[column];
      if (node && step !== undefined) keys.push(cellKey(node.id, step));
    }
  }
  return keys;
}
