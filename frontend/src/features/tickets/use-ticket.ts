/** Hooks of the ticket page: its live connection, its address, and what a person's action does to the cache. */
import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { TicketDetail } from "../../api/client";
import { useLive } from "../../lib/live";
import { TicketUpdates } from "./live-updates";
import { ticketKeys } from "./queries";
import type { TicketSearch } from "./search";
import { ENDED, type Ticket } from "./types";

const route = getRouteApi("/shell/tickets/$ticket");

/** Listens while the ticket can change, from where it was first read. */
export function useTicketLive(ticket: Ticket): void {
  const queryClient = useQueryClient();
  const [first] = useState(ticket.next_seq - 1);
  const [updates] = useState(() => new TicketUpdates(queryClient, ticket.id));
  useEffect(() => () => updates.stop(), [updates]);
  const over = ENDED.has(ticket.state);
  useLive(over ? null : `/api/v1/tickets/${ticket.id}/stream?logs=false&nodes=true&after=${first}`, {
    onEvent: (event) => updates.take(event),
    onPoll: () => updates.refetch(),
  });
}

/** The page's search parameters, and how to change some of them (undefined removes one). */
export function useTicketSearch(): [TicketSearch, (change: { [Key in keyof TicketSearch]: TicketSearch[Key] | undefined }) => void] {
  const search = route.useSearch();
  const navigate = useNavigate();
  const change = (next: { [Key in keyof TicketSearch]: TicketSearch[Key] | undefined }) => {
    const merged = Object.fromEntries(Object.entries({ ...search, ...next }).filter(([, value]) => value !== undefined));
    void navigate({ from: "/tickets/$ticket", to: ".", search: merged as TicketSearch, replace: true });
  };
  return [search, change];
}

function keep(queryClient: QueryClient, id: string, detail: TicketDetail): void {
  queryClient.setQueryData(ticketKeys.detail(id), (before: Ticket | undefined) => ({ ...before, ...detail }) as Ticket);
  void queryClient.invalidateQueries({ queryKey: ticketKeys.matrix(id) });
  void queryClient.invalidateQueries({ queryKey: ["tickets"] });
  void queryClient.invalidateQueries({ queryKey: ["inbox"] });
}

/** Something a person does to the ticket: the answer is the ticket as it is now; a refusal means it may have changed. */
export function useTicketAction<Input>(id: string, send: (input: Input) => Promise<TicketDetail>, done?: (input: Input) => void) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: (detail, input) => {
      keep(queryClient, id, detail);
      done?.(input);
    },
    onError: () => queryClient.invalidateQueries({ queryKey: ticketKeys.detail(id) }),
  });
}
