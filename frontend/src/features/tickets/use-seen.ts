/** Tells the api which plans this person has been shown, so that it can say later what has changed since. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import { sendSeen, ticketKeys } from "./queries";
import type { Seen, Step, Ticket } from "./types";

/** What had been seen when the page was opened: "since you last looked" must not vanish by looking. */
export const FirstSeen = createContext<Seen | null>(null);

/** A glance in passing is no look. */
const LOOK_MS = 1500;

function subscribe(listener: () => void): () => void {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

/** Plans of these steps that were not told to be seen yet, as `step hash` pairs in one text. */
export function unseen(ticket: Ticket, shown: readonly Step[]): string {
  const known = ticket.seen?.plan_hashes ?? {};
  return shown
    .filter((step) => step.plan_hash !== null && known[step.key] !== step.plan_hash)
    .map((step) => `${step.key} ${step.plan_hash}`)
    .join(",");
}

/** Marks the plans of `shown` as seen while the tab is looked at, and gives what had been seen before. */
export function useSeen(ticket: Ticket, shown: readonly Step[]): Seen | null {
  const queryClient = useQueryClient();
  const visible = useSyncExternalStore(subscribe, () => document.visibilityState === "visible");
  const wanted = visible ? unseen(ticket, shown) : "";
  const { id, next_seq } = ticket;
  useEffect(() => {
    if (wanted === "") return undefined;
    const hashes = Object.fromEntries(wanted.split(",").map((pair) => pair.split(" ") as [string, string]));
    const timer = setTimeout(() => {
      sendSeen(id, next_seq - 1, hashes).then(
        (seen) => queryClient.setQueryData<Ticket>(ticketKeys.detail(id), (before) => before && { ...before, seen }),
        () => undefined, // asked again with the next plan; nothing that a person could do about it
      );
    }, LOOK_MS);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- a new event is no reason to begin the look anew
  }, [queryClient, id, wanted]);
  return useContext(FirstSeen);
}
