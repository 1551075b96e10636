/** What the checks of the wizard said so far, machine by machine. Pure. */
import type { Words } from "../../api/problem";

export type CheckState = "ok" | "failed" | "warning" | "skipped";
export type CheckResult = { check: string; state: CheckState; message: Words | null; remedy: Words | null };
export type CheckInfo = { id: string; title: Words; scope: string };
export type Row = { id: string; hostname: string; results: Map<string, CheckResult>; done: boolean };
/** `id` of the row that stands for the cluster itself. */
export const CLUSTER = "cluster";

export type Report = {
  checks: CheckInfo[];
  rows: Row[];
  ended: boolean;
  seconds: number | null;
};

export const NO_REPORT: Report = { checks: [], rows: [], ended: false, seconds: null };

type Start = { cluster: string; checks: CheckInfo[]; machines: { machine_id: string; hostname: string; eligible: boolean }[] };
type Said = { machine_id: string | null; hostname: string; results: CheckResult[] };

const empty = (id: string, hostname: string): Row => ({ id, hostname, results: new Map(), done: false });

/** A run begins: the rows it is about are empty again, others of an earlier run stay as they are. */
export function started(report: Report, start: Start): Report {
  const fresh = start.machines.filter((one) => one.eligible).map((one) => empty(one.machine_id, one.hostname));
  const again = new Set([CLUSTER, ...fresh.map((row) => row.id)]);
  const kept = report.rows.filter((row) => !again.has(row.id));
  const rows = [empty(CLUSTER, start.cluster), ...kept, ...fresh];
  return { checks: start.checks, rows, ended: false, seconds: null };
}

/** Results of one machine; a second word about it adds to the first. */
export function heard(report: Report, said: Said): Report {
  const id = said.machine_id ?? CLUSTER;
  const rows = report.rows.map((row) => {
    if (row.id !== id) return row;
    const results = new Map(row.results);
    for (const result of said.results) results.set(result.check, result);
    return { ...row, results, done: true };
  });
  return { ...report, rows };
}

export function ended(report: Report, end: { seconds: number }): Report {
  return { ...report, ended: true, seconds: end.seconds };
}

export function failuresOf(row: Row): CheckResult[] {
  return [...row.results.values()].filter((result) => result.state === "failed");
}

export function failedRows(report: Report): Row[] {
  return report.rows.filter((row) => failuresOf(row).length > 0);
}

export function countsOf(report: Report): Record<CheckState | "waiting", number> {
  const counts = { ok: 0, failed: 0, warning: 0, skipped: 0, waiting: 0 };
  for (const row of report.rows) {
    if (!row.done) counts.waiting += 1;
    for (const result of row.results.values()) counts[result.state] += 1;
  }
  return counts;
}

/** Columns worth showing: all, or only checks that somewhere are not ok. */
export function shownChecks(report: Report, onlyRed: boolean): CheckInfo[] {
  if (!onlyRed) return report.checks;
  const red = new Set(report.rows.flatMap((row) => [...row.results.values()]).filter(isRed).map((one) => one.check));
  return report.checks.filter((check) => red.has(check.id));
}

export function isRed(result: CheckResult): boolean {
  return result.state === "failed" || result.state === "warning";
}

/** Why the ticket is better not submitted yet, as the key of a text; null = all checked and nothing failed. */
export function verdict(report: Report): "checks.notRun" | "checks.running" | "checks.failed" | null {
  if (report.rows.length === 0) return "checks.notRun";
  if (!report.ended) return "checks.running";
  return failedRows(report).length > 0 ? "checks.failed" : null;
}
