/** Every request about tickets. Keys of one ticket begin with `ticket`: its own stream keeps them fresh, not the hints. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  cancel,
  close,
  comparePlans,
  decide,
  exclude,
  getMatrix,
  getTicket,
  getTicketNode,
  listClusters,
  listEvents,
  listFlows,
  listPlans,
  listTicketNodes,
  listTickets,
  markSeen,
  pause,
  resolve,
  resume,
  retry,
  revokeApproval,
  unwatchTicket,
  watchTicket,
} from "../../api/client";
import { toMatrix } from "./matrix";
import type { Plan, Ticket, TicketEvent } from "./types";

export const ticketKeys = {
  list: (filter: readonly string[], sort: string) => ["tickets", "list", filter, sort] as const,
  byNumber: (number: number) => ["ticket", "number", number] as const,
  all: (id: string) => ["ticket", id] as const,
  detail: (id: string) => ["ticket", id, "detail"] as const,
  matrix: (id: string) => ["ticket", id, "matrix"] as const,
  plans: (id: string, step: string) => ["ticket", id, "plans", step] as const,
  events: (id: string) => ["ticket", id, "events"] as const,
};

const PAGE = 50;

export const ticketsQuery = (filter: readonly string[], sort: string) =>
  infiniteQueryOptions({
    queryKey: ticketKeys.list(filter, sort),
    queryFn: ({ pageParam, signal }) =>
      listTickets({ query: { limit: PAGE, sort, filter: [...filter], cursor: pageParam, total: pageParam === null }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const flowsQuery = queryOptions({
  queryKey: ["flows"],
  queryFn: ({ signal }) => listFlows({ signal }),
  staleTime: 5 * 60_000,
});

/** Clusters by name, for a choice. */
export const clusterNamesQuery = queryOptions({
  queryKey: ["clusters", "names"],
  queryFn: async ({ signal }) => {
    const page = await listClusters({ query: { limit: 500, sort: "name" }, signal });
    return page.items.map(({ id, name }) => ({ id, name }));
  },
  staleTime: 60_000,
});

/** The id behind a number, null when there is none to see. A number is never given to another ticket. */
export const idQuery = (number: number) =>
  queryOptions({
    queryKey: ticketKeys.byNumber(number),
    queryFn: async ({ signal }) => {
      const page = await listTickets({ query: { limit: 1, filter: [`number:eq:${number}`] }, signal });
      return page.items[0]?.id ?? null;
    },
    staleTime: Infinity,
  });

export const ticketQuery = (id: string) =>
  queryOptions({
    queryKey: ticketKeys.detail(id),
    queryFn: async ({ signal }): Promise<Ticket> => getTicket({ path: { ticket_id: id }, signal }),
  });

export const matrixQuery = (id: string) =>
  queryOptions({
    queryKey: ticketKeys.matrix(id),
    queryFn: async ({ signal }) => toMatrix((await getMatrix({ path: { ticket_id: id }, signal })).nodes),
    // The stream brings what changes; structural sharing would compare thousands of results for nothing.
    structuralSharing: false,
  });

/** One node with the evidence of all its results. */
export const nodeQuery = (id: string, nodeId: string) =>
  queryOptions({
    queryKey: [...ticketKeys.matrix(id), "node", nodeId],
    queryFn: ({ signal }) => getTicketNode({ path: { ticket_id: id, node_id: nodeId }, signal }),
  });

/** Every result with what was found: large, so only where that is what is looked at. */
export const nodesWithEvidenceQuery = (id: string) =>
  queryOptions({
    queryKey: [...ticketKeys.matrix(id), "evidence"],
    queryFn: ({ signal }) => listTicketNodes({ path: { ticket_id: id }, signal }),
    structuralSharing: false,
  });

export const plansQuery = (id: string, step: string) =>
  queryOptions({
    queryKey: ticketKeys.plans(id, step),
    queryFn: async ({ signal }): Promise<Plan[]> => listPlans({ path: { ticket_id: id, step }, signal }),
  });

/** What differs between two plans of a step, by their hashes. Plans never change, so neither does this. */
export const changesQuery = (id: string, step: string, before: string, after: string) =>
  queryOptions({
    queryKey: ["ticket", id, "changes", step, before, after],
    queryFn: ({ signal }) => comparePlans({ path: { ticket_id: id, step }, query: { before, after }, signal }),
    staleTime: Infinity,
  });

const EVENTS_PAGE = 1000;

export const eventsQuery = (id: string) =>
  queryOptions({
    queryKey: ticketKeys.events(id),
    queryFn: async ({ signal }): Promise<TicketEvent[]> => {
      const all: TicketEvent[] = [];
      for (;;) {
        const after = all.at(-1)?.seq ?? 0;
        const page = await listEvents({ path: { ticket_id: id }, query: { after, limit: EVENTS_PAGE }, signal });
        all.push(...page);
        if (page.length < EVENTS_PAGE) return all;
      }
    },
  });

// --- what people do --------------------------------------------------------------------------------------------------

export type DecisionBody = Parameters<typeof decide>[0]["body"];

export const sendDecision = (id: string, body: DecisionBody) => decide({ path: { ticket_id: id }, body });

export const sendRetry = (id: string, step: string, nodes: string[] | null) =>
  retry({ path: { ticket_id: id }, body: { step, nodes } });

export const sendExclude = (id: string, nodes: string[], reason: string) =>
  exclude({ path: { ticket_id: id }, body: { nodes, reason } });

export const sendRevocation = (id: string, gateId: string) => revokeApproval({ path: { ticket_id: id, gate_id: gateId } });

export const sendPause = (id: string) => pause({ path: { ticket_id: id } });
export const sendResume = (id: string) => resume({ path: { ticket_id: id } });
export const sendCancel = (id: string, reason: string) => cancel({ path: { ticket_id: id }, body: { reason } });
export const sendClose = (id: string, reason: string) => close({ path: { ticket_id: id }, body: { reason } });

export type ResolutionBody = { verdicts: Record<string, boolean>; reason: string; override: boolean };

export const sendResolution = (id: string, attemptId: string, body: ResolutionBody) =>
  resolve({ path: { ticket_id: id, attempt_id: attemptId }, body });

export const sendSeen = (id: string, seq: number, plan_hashes: Record<string, string>) =>
  markSeen({ path: { ticket_id: id }, body: { seq, plan_hashes } });

export const sendWatch = (id: string, on: boolean) =>
  on ? watchTicket({ path: { ticket_id: id } }) : unwatchTicket({ path: { ticket_id: id } });
