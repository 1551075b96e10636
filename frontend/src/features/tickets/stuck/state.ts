/** Which of what is stuck is shown where, and what a person may do about it. Pure. */
import type { StuckOut } from "../../../api/client";
import type { Ticket } from "../types";

/** On every page: what concerns all, and what this person can repair, decide or has asked for. A ticket's own page says
 * it itself: `shown` is the number of the ticket that the page is about. */
export function forBanner(items: readonly StuckOut[], shown: number | null = null): StuckOut[] {
  return items.filter((item) => item.mine && (item.everybody || !item.tickets.some((ticket) => ticket.number === shown)));
}

/** On a ticket's page: everything that it waits for, whoever may repair it. */
export function ofTicket(items: readonly StuckOut[], ticketId: string): StuckOut[] {
  return items.filter((item) => item.tickets.some((ticket) => ticket.id === ticketId));
}

export type Choice =
  | { kind: "repair"; reason: StuckOut["title"] | null }
  | { kind: "asked"; by: string | null; at: string }
  | { kind: "ticket"; number: number }
  | { kind: "users" }
  | { kind: "none" };

/** The one thing to do. A repair that lasts is asked for once; one that is done at once may be tried again. */
export function choiceOf(item: StuckOut): Choice {
  if (item.repair) {
    if (item.repair.lasting && item.repair_at !== null) return { kind: "asked", by: item.repair_by, at: item.repair_at };
    return { kind: "repair", reason: item.repair.allowed ? null : item.repair.reason };
  }
  if (item.go === "users") return { kind: "users" };
  if (item.go === "ticket" && item.tickets[0]) return { kind: "ticket", number: item.tickets[0].number };
  return { kind: "none" };
}

/** The ticket with the cause where it says what it waits for; it is told by the look, not by the ticket's own events. */
export function withStuck(ticket: Ticket, items: readonly StuckOut[]): Ticket {
  const cause = ofTicket(items, ticket.id)[0];
  if (cause) return { ...ticket, waiting: { code: "stuck", ...cause.title } };
  return ticket.waiting?.code === "stuck" ? { ...ticket, waiting: null } : ticket;
}
