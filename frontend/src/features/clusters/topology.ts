/** Where the nodes of a cluster stand: the model of its picture. Pure. */
import type { TopologyNodeOut } from "../../api/client";

export type Health = "ready" | "not_ready" | "missing" | "unseen" | "unknown";
export type Place = { id: string; title: string; nodes: TopologyNodeOut[] };
export type Picture = {
  /** Controlplane and etcd nodes, each drawn by itself. */
  masters: TopologyNodeOut[];
  racks: Place[];
  /** Too many workers to draw one by one: each rack is one box with counts. */
  collapsed: boolean;
};

export const MOST_DRAWN = 300;

export const healthOf = (node: TopologyNodeOut): Health => node.health ?? "unknown";

export function isMaster(node: TopologyNodeOut): boolean {
  return node.roles.some((role) => role === "controlplane" || role === "etcd");
}

export function pictureOf(nodes: readonly TopologyNodeOut[], openRacks: ReadonlySet<string> = new Set()): Picture {
  const racks = new Map<string, Place>();
  for (const node of nodes.filter((one) => !isMaster(one))) {
    const title = [node.datacenter, node.room, node.rack].filter((part) => part !== "").join(" / ");
    const place = racks.get(title) ?? { id: title, title, nodes: [] };
    place.nodes.push(node);
    racks.set(title, place);
  }
  const sorted = [...racks.values()].sort((one, other) => one.title.localeCompare(other.title, "en", { numeric: true }));
  const drawn = sorted.filter((rack) => openRacks.has(rack.id)).reduce((sum, rack) => sum + rack.nodes.length, 0);
  return { masters: nodes.filter(isMaster), racks: sorted, collapsed: nodes.length - drawn > MOST_DRAWN };
}

export function healthCounts(nodes: readonly TopologyNodeOut[]): [Health, number][] {
  const counts = new Map<Health, number>();
  for (const node of nodes) counts.set(healthOf(node), (counts.get(healthOf(node)) ?? 0) + 1);
  const order: Health[] = ["not_ready", "missing", "unseen", "unknown", "ready"];
  return order.flatMap((health) => (counts.has(health) ? [[health, counts.get(health)!] as [Health, number]] : []));
}

/** Positions on a plane: masters in one row on top, racks as boxes below, as many in a row as make it about square. */
export function columnsFor(racks: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(racks * 1.6)));
}
