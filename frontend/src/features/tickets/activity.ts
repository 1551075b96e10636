/** The events of a ticket as a person reads them: what people did stands alone, what followed by itself is folded. Pure. */
import { isRecord, type TicketEvent } from "./types";

export type ActivityGroup =
  | { kind: "person"; event: TicketEvent }
  | { kind: "system"; events: TicketEvent[] };

export function isPerson(event: TicketEvent): boolean {
  return event.actor_type === "user";
}

/** Newest first. Events that no person made are kept together until the next one that a person made. */
export function groupsOf(events: readonly TicketEvent[], peopleOnly: boolean): ActivityGroup[] {
  const groups: ActivityGroup[] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (isPerson(event)) groups.push({ kind: "person", event });
    else if (peopleOnly) continue;
    else if (last?.kind === "system") last.events.push(event);
    else groups.push({ kind: "system", events: [event] });
  }
  return groups.reverse().map((group) => (group.kind === "system" ? { kind: "system", events: [...group.events].reverse() } : group));
}

/** What of an event's body a sentence needs; the whole body can be unfolded. */
export function placeholders(event: TicketEvent): Record<string, string | number> {
  const found: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(event.body)) {
    if (typeof value === "string" || typeof value === "number") found[key] = value;
    else if (Array.isArray(value)) found[key] = value.length;
    else if (isRecord(value)) found[key] = Object.keys(value).length;
  }
  return found;
}

/** Says that the chain of hashes holds: each event names the one before it. */
export function chainHolds(events: readonly TicketEvent[]): boolean {
  return events.every((event, at) => at === 0 || (event.prev_hash === events[at - 1]!.hash && event.seq === events[at - 1]!.seq + 1));
}
