/** Why nodes failed: the same cause is said once, with how many it struck and what may be done. Pure. */
import type { Words } from "../../api/client";
import { type MatrixNode, latest } from "./matrix";
import { stepError } from "./rail";
import { asError, asProblems, type Step } from "./types";

export type FailureCause = {
  code: string;
  /** What was seen, of the first node that it struck. */
  text: Words;
  remedy: Words;
  nodes: Array<{ id: string; name: string; address: string }>;
};

const BAD = new Set(["FAILED", "UNREACHABLE"]);

const both = (text: string): Words => ({ zh: text, en: text });

/** Names, addresses and numbers differ from node to node where the cause is the same. */
export function pattern(text: string, node: { name: string; address: string }): string {
  let plain = text;
  for (const word of [node.name, node.address]) if (word !== "") plain = plain.replaceAll(word, "…");
  return plain.replace(/\d+/g, "#");
}

class Grouped {
  private readonly found = new Map<string, FailureCause>();

  add(key: string, cause: Omit<FailureCause, "nodes">, node: FailureCause["nodes"][number] | null): void {
    const group = this.found.get(key) ?? { ...cause, nodes: [] };
    if (node && !group.nodes.some((one) => one.id === node.id)) group.nodes.push(node);
    this.found.set(key, group);
  }

  list(): FailureCause[] {
    return [...this.found.values()].sort((one, other) => other.nodes.length - one.nodes.length);
  }
}

/** Causes of a step's failed and unreachable nodes, most frequent first. */
export function nodeCauses(nodes: readonly MatrixNode[], step: string): FailureCause[] {
  const grouped = new Grouped();
  for (const node of nodes) {
    const result = latest(node, step);
    if (node.excludedAt !== null || !result || !BAD.has(result.state)) continue;
    const error = asError(result.error);
    const text = error?.cause ?? both(result.summary);
    const code = error?.code ?? result.state.toLowerCase();
    const about = { id: node.id, name: node.name, address: node.address };
    grouped.add(`${code} ${pattern(text.en, node)}`, { code, text, remedy: error?.remedy ?? both("") }, about);
  }
  return grouped.list();
}

/** Causes of a plan that could not be made, or of one that stops at its own findings. */
export function planCauses(step: Step, nodes: readonly MatrixNode[]): FailureCause[] {
  const grouped = new Grouped();
  const error = asError(stepError(step));
  if (error) grouped.add("plan", { code: error.code, text: error.cause, remedy: error.remedy }, null);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  for (const problem of asProblems(step.problems)) {
    if (!problem.blocking) continue;
    const node = problem.node === null ? null : byName.get(problem.node);
    const about = problem.node === null ? null : { id: node?.id ?? problem.node, name: problem.node, address: node?.address ?? "" };
    const key = `${problem.code} ${pattern(problem.seen.en, { name: problem.node ?? "", address: node?.address ?? "" })}`;
    grouped.add(key, { code: problem.code, text: problem.seen, remedy: problem.remedy }, about);
  }
  return grouped.list();
}

export function causesOf(step: Step, nodes: readonly MatrixNode[]): FailureCause[] {
  return step.state === "PLAN_FAILED" ? planCauses(step, nodes) : nodeCauses(nodes, step.key);
}

/** Addresses (or names, where there is none) of all nodes that failed, each once. */
export function failedAddresses(causes: readonly FailureCause[]): string[] {
  return [...new Set(causes.flatMap((cause) => cause.nodes.map((node) => node.address || node.name)))];
}
