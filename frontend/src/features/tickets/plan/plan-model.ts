/** What a plan's body says, in the parts that a person reads; what no part knows is shown as it is. Pure. */
import type { Words } from "../../../api/client";
import { isRecord, isWords, type Plan } from "../types";

export type Target = { hostname: string; address: string; roles: string[]; labels: string[]; taints: string[]; gpu: boolean };

export type Container = { name: string; order: number; image: string; command: string[]; create: Record<string, unknown> };

export type NodeSpec = { name: string; images: string[]; containers: Container[]; labels: string[]; taints: string[]; files: number };

export type Level = "ok" | "warning" | "error" | "unknown" | "notrun";
export type CheckResult = { node: string; check: string; level: Level; seen: Words; remedy: Words };

export type PlanParts = {
  facts: Array<{ key: string; value: string }>;
  targets: Target[];
  diff: string[];
  settings: string[];
  nodes: NodeSpec[];
  playbook: string | null;
  tasks: Array<{ role: string; task: string }>;
  variables: Record<string, unknown> | null;
  checks: CheckResult[] | null;
  catalogue: Array<{ id: string; title: Words }>;
  onFailure: string | null;
  rest: Record<string, unknown>;
};

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []);
const records = (value: unknown): Array<Record<string, unknown>> => (Array.isArray(value) ? value.filter(isRecord) : []);
const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

function labelsOf(value: unknown): string[] {
  return isRecord(value) ? Object.entries(value).map(([key, one]) => `${key}=${text(one)}`) : [];
}

function taintsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.map((one) => (isRecord(one) ? `${text(one["key"])}=${text(one["value"])}:${text(one["effect"])}` : text(one)));
}

function target(one: Record<string, unknown>): Target {
  return {
    hostname: text(one["hostname"] ?? one["name"]),
    address: text(one["address"]),
    roles: texts(one["role"] ?? one["roles"]),
    labels: labelsOf(one["labels"]),
    taints: taintsOf(one["taints"]),
    gpu: one["has_gpu"] === true || one["gpu"] === true,
  };
}

/** The fullest list of targets that the plan holds: the frozen ones, else those that are added, else plain machines. */
function targetsOf(plan: Record<string, unknown>): Target[] {
  const adds = new Map(records(plan["adds"]).map((one) => [text(one["hostname"]), texts(one["role"])]));
  const full = [plan["targets"], plan["adds"], plan["machines"]].map(records).find((list) => list.length > 0) ?? [];
  const found = full.map((one) => {
    const made = target(one);
    return made.roles.length > 0 ? made : { ...made, roles: adds.get(made.hostname) ?? [] };
  });
  return found.length > 0 ? found : texts(plan["machines"]).map((name) => target({ name }));
}

function container(one: Record<string, unknown>): Container {
  const create = isRecord(one["create"]) ? one["create"] : {};
  return {
    name: text(one["name"]),
    order: Number(one["order"] ?? 0),
    image: text(create["Image"]),
    command: [...texts(create["Entrypoint"]), ...texts(create["Cmd"])],
    create,
  };
}

function nodesOf(value: unknown): NodeSpec[] {
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([name, spec]) => {
    if (!isRecord(spec)) return [];
    const object = isRecord(spec["node_object"]) ? spec["node_object"] : {};
    return [
      {
        name,
        images: records(spec["images"]).map((one) => text(one["name"])),
        containers: records(spec["containers"]).map(container).sort((one, other) => one.order - other.order),
        labels: labelsOf(object["labels"]),
        taints: taintsOf(object["taints"]),
        files: Array.isArray(spec["files"]) ? spec["files"].length : 0,
      },
    ];
  });
}

const NOTHING: Words = { zh: "", en: "" };

function result(one: Record<string, unknown>): CheckResult {
  return {
    node: text(one["node"]),
    check: text(one["check"]),
    level: text(one["level"]) as Level,
    seen: isWords(one["seen"]) ? one["seen"] : NOTHING,
    remedy: isWords(one["remedy"]) ? one["remedy"] : NOTHING,
  };
}

/** Results of the checks that a plan made, those that had nothing to say included; null when it made none. */
export function checksOf(value: unknown): CheckResult[] | null {
  if (!isRecord(value) || !Array.isArray(value["results"])) return null;
  const skipped = records(value["not_run"]).map((one) => {
    const because = text(one["because"]);
    return { node: text(one["node"]), check: text(one["check"]), level: "notrun" as const, seen: { zh: because, en: because }, remedy: NOTHING };
  });
  return [...records(value["results"]).map(result), ...skipped];
}

function catalogueOf(value: unknown): PlanParts["catalogue"] {
  return records(value).flatMap((one) => (isWords(one["title"]) ? [{ id: text(one["id"]), title: one["title"] }] : []));
}

const FACTS = ["cluster", "config_revision", "state_revision", "network_plugin"];
const KNOWN = new Set([
  ...FACTS, "adds", "targets", "machines", "diff", "settings", "nodes", "playbook", "tasks", "variables", "checks", "on_failure",
]);

export function partsOf(plan: Plan): PlanParts {
  const body = isRecord(plan.body["plan"]) ? plan.body["plan"] : {};
  return {
    facts: FACTS.filter((key) => text(body[key]) !== "").map((key) => ({ key, value: text(body[key]) })),
    targets: targetsOf(body),
    diff: texts(body["diff"]),
    settings: texts(body["settings"]),
    nodes: nodesOf(body["nodes"]),
    playbook: text(body["playbook"]) || null,
    tasks: records(body["tasks"]).map((one) => ({ role: text(one["role"]), task: text(one["task"]) })),
    variables: isRecord(body["variables"]) ? body["variables"] : null,
    checks: checksOf(body["checks"]),
    catalogue: catalogueOf(body["checks"]),
    onFailure: text(body["on_failure"]) || null,
    rest: Object.fromEntries(Object.entries(body).filter(([key]) => !KNOWN.has(key))),
  };
}

export function levelCounts(checks: readonly CheckResult[]): Record<Level, number> {
  const counts: Record<Level, number> = { ok: 0, warning: 0, error: 0, unknown: 0, notrun: 0 };
  for (const one of checks) counts[one.level] += 1;
  return counts;
}

export type Drift = { key: string; planned: unknown; now: unknown };

/** Why a round was given up: what had changed between the approval and the start. */
export function driftOf(plan: Plan): Drift[] {
  return records(plan.superseded_reason?.["drift"]).map((one) => ({ key: text(one["key"]), planned: one["planned"], now: one["now"] }));
}
