/** The wizard's one form: what is chosen, as it is kept in this browser, and what of it is sent. Pure. */
import type { MachineBrief } from "../../api/client";

export type LabelRow = { key: string; value: string };
export type TaintRow = { key: string; value: string; effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute" };
export type Chosen = Pick<MachineBrief, "id" | "hostname" | "address" | "rack">;
export type Draft = {
  cluster_id: string | null;
  machines: Chosen[];
  labels: LabelRow[];
  taints: TaintRow[];
  initialise: { docker: boolean; kernel: boolean; gpu: boolean };
  batches: { canary: number; size: number; budget: number };
  /** Sent with the submit, so that a repeated click or a lost answer makes no second ticket. */
  key: string;
};

export const STEPS = ["cluster", "machines", "settings", "checks", "preview"] as const;
export type StepName = (typeof STEPS)[number];
export const MOST_MACHINES = 200;

export function emptyDraft(key: string): Draft {
  return {
    cluster_id: null,
    machines: [],
    labels: [],
    taints: [],
    initialise: { docker: true, kernel: true, gpu: true },
    batches: { canary: 1, size: 10, budget: 0 },
    key,
  };
}

/** A kept draft, or null for what is none: storage may hold anything. */
export function readDraft(text: string | null): Draft | null {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Draft> | null;
    if (!value || !Array.isArray(value.machines) || typeof value.key !== "string") return null;
    return { ...emptyDraft(value.key), ...value };
  } catch {
    return null;
  }
}

export function requestOf(draft: Draft, only?: ReadonlySet<string>) {
  const machines = draft.machines.filter((machine) => !only || only.has(machine.id));
  return {
    cluster_id: draft.cluster_id ?? "",
    machines: machines.map((machine) => ({ machine_id: machine.id })),
    labels: Object.fromEntries(draft.labels.filter((row) => row.key !== "").map((row) => [row.key, row.value])),
    taints: draft.taints.filter((row) => row.key !== ""),
    initialise: draft.initialise,
    batches: draft.batches,
  };
}

/** Machines added to those chosen, each once and never more than a ticket takes; the rest is counted. */
export function withMachines(draft: Draft, found: Chosen[]): { draft: Draft; left: number } {
  const known = new Set(draft.machines.map((machine) => machine.id));
  const fresh = found.filter((machine) => !known.has(machine.id) && known.add(machine.id));
  const room = Math.max(0, MOST_MACHINES - draft.machines.length);
  const taken = fresh.slice(0, room).map(({ id, hostname, address, rack }) => ({ id, hostname, address, rack }));
  return { draft: { ...draft, machines: [...draft.machines, ...taken] }, left: fresh.length - taken.length };
}

export function withoutMachine(draft: Draft, id: string): Draft {
  return { ...draft, machines: draft.machines.filter((machine) => machine.id !== id) };
}

/** The key of a text why a step is not finished yet; null = it is. Syntax of labels and taints is judged by the api. */
export function missing(draft: Draft, step: StepName): string | null {
  if (step === "cluster") return draft.cluster_id === null ? "missing.cluster" : null;
  if (step === "machines") return draft.machines.length === 0 ? "missing.machines" : null;
  if (step !== "settings") return null;
  const keys = draft.labels.map((row) => row.key).filter((key) => key !== "");
  if (new Set(keys).size < keys.length) return "missing.labelTwice";
  const unnamed = draft.labels.some((row) => row.key === "" && row.value !== "");
  return unnamed || draft.taints.some((row) => row.key === "") ? "missing.key" : null;
}

/** The first step that still misses something before `step`; null = it can be entered. */
export function barrier(draft: Draft, step: StepName): { step: StepName; reason: string } | null {
  for (const earlier of STEPS.slice(0, STEPS.indexOf(step))) {
    const reason = missing(draft, earlier);
    if (reason !== null) return { step: earlier, reason };
  }
  return null;
}

/** Sizes of the batches in order: canary, then batches of `size`. */
export function batchSizes(count: number, { canary, size }: Draft["batches"]): number[] {
  const sizes: number[] = [];
  for (let left = count; left > 0; left -= sizes.at(-1)!) {
    sizes.push(Math.min(left, sizes.length === 0 && canary > 0 ? canary : size));
  }
  return sizes;
}

/** Keys of a pasted list: one per line, or separated by commas, semicolons or blanks. */
export function pastedKeys(text: string): string[] {
  return text.split(/[\s,;，；]+/).filter((key) => key !== "");
}
