/** Figures of the overview, made ready for charts. Pure. */
import type { OverviewOut } from "../../api/client";

export const STATES = ["free", "reserved", "in_cluster", "fault", "retired"] as const;

/** State × datacenter: one series per state, places by size. */
export function places(machines: OverviewOut["machines"]) {
  const totals = new Map<string, number>();
  for (const { datacenter, count } of machines) totals.set(datacenter, (totals.get(datacenter) ?? 0) + count);
  const names = [...totals.keys()].sort((one, other) => totals.get(other)! - totals.get(one)! || one.localeCompare(other));
  const series = STATES.map((state) => ({
    state,
    counts: names.map((name) => machines.find((one) => one.datacenter === name && one.state === state)?.count ?? 0),
  }));
  return { names, series: series.filter(({ counts }) => counts.some((count) => count > 0)) };
}

export type Span = { value: number; unit: "s" | "min" | "h" | "d" };

/** A length of time in the unit in which people would say it. */
export function spanOf(seconds: number): Span {
  const one = (value: number) => Math.round(value * 10) / 10;
  if (seconds < 90) return { value: Math.round(seconds), unit: "s" };
  if (seconds < 5400) return { value: one(seconds / 60), unit: "min" };
  if (seconds < 172_800) return { value: one(seconds / 3600), unit: "h" };
  return { value: one(seconds / 86_400), unit: "d" };
}

/** Outcomes of today's tickets, the good ones first; none of them is left out. */
export function outcomes(ended: Record<string, number>): [string, number][] {
  const order = ["SUCCEEDED", "FAILED", "REJECTED", "CANCELLED", "EXPIRED"];
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(ended).sort(([one], [other]) => rank(one) - rank(other) || one.localeCompare(other));
}
