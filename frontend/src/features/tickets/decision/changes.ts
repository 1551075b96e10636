/** Differences between two plans as a person reads them. Pure. */
import type { PlanChangeOut } from "../../../api/client";

const HASH = /^[0-9a-f]{40,}$/;
const SHORT = 10;

/** Texts come in both languages: the other one's change is the same change. */
export function readable(changes: readonly PlanChangeOut[], language: string): PlanChangeOut[] {
  const other = language.startsWith("zh") ? ".en" : ".zh";
  return changes.filter((one) => !one.path.endsWith(other));
}

/** A value in a line: lists of lines stay lines, a hash is told by its beginning. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return HASH.test(value) ? `${value.slice(0, SHORT)}…` : value;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join("\n");
  return JSON.stringify(value);
}

export type Pair = { step: string; before: string; after: string };
type Bound = { step: string; phase: string; planHash: string };

/** Plans that were shown and are others now. */
export function changedPlans(shown: readonly Bound[], now: readonly Bound[]): Pair[] {
  return now.flatMap((one) => {
    const before = shown.find((other) => other.step === one.step && other.phase === one.phase);
    return before && before.planHash !== one.planHash ? [{ step: one.step, before: before.planHash, after: one.planHash }] : [];
  });
}
