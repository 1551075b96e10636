/** Every request of the add-workers wizard. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  checkEligibility,
  createTicket,
  findMachines,
  listClusters,
  listMachines,
  previewTicket,
} from "../../api/client";
import { type Draft, requestOf } from "./draft";

const FLOW = "add_workers";

export const clustersQuery = queryOptions({
  queryKey: ["clusters", "for add_workers"],
  queryFn: ({ signal }) => listClusters({ query: { limit: 500, sort: "name" }, signal }),
});

/** Free machines, narrowed by what is typed; page after page. */
export const freeMachinesQuery = (wanted: string) =>
  infiniteQueryOptions({
    queryKey: ["machines", "free", wanted],
    queryFn: ({ pageParam, signal }) =>
      listMachines({
        query: {
          limit: 100,
          sort: "hostname",
          filter: ["state:eq:free", ...(wanted ? [`hostname:contains:${wanted}`] : [])],
          ...(pageParam ? { cursor: pageParam } : {}),
        },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });

/** Those that were chosen on another page and come here by their ids. */
export const machinesByIdQuery = (ids: string[]) =>
  queryOptions({
    queryKey: ["machines", "by id", ids],
    queryFn: ({ signal }) => listMachines({ query: { limit: 200, filter: [`id:in:${ids.join(",")}`] }, signal }),
    enabled: ids.length > 0,
  });

/** Which of the chosen machines the flow would refuse, and why. */
export const eligibilityQuery = (clusterId: string | null, ids: string[]) =>
  queryOptions({
    queryKey: ["machines", "eligible", clusterId, ids],
    queryFn: ({ signal }) =>
      checkEligibility({ body: { action: FLOW, ids, ...(clusterId ? { cluster_id: clusterId } : {}) }, signal }),
    enabled: ids.length > 0,
  });

export const previewQuery = (draft: Draft) =>
  queryOptions({
    queryKey: ["tickets", "preview", requestOf(draft)],
    queryFn: ({ signal }) => previewTicket({ path: { name: FLOW }, body: { request: requestOf(draft) }, signal }),
    enabled: draft.cluster_id !== null && draft.machines.length > 0,
    retry: false,
    staleTime: 10_000,
  });

export const find = (keys: string[]) => findMachines({ body: { keys } });

export const submit = (draft: Draft) =>
  createTicket({ body: { flow: FLOW, request: requestOf(draft) }, headers: { "idempotency-key": draft.key } });
