/** Every request of the machine page. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  checkEligibility,
  createView,
  deleteView,
  findMachines,
  getFreshness,
  getMachine,
  listMachineHistory,
  listMachines,
  listMachineTickets,
  listViews,
  resolveConflict,
  selectMany,
  summariseMachines,
  updateView,
} from "../../api/client";
import { choiceOf, type Selection } from "./selection";

export const PAGE = "machines";
export type Action = "add_workers" | "remove_workers" | "update_workers";

/** Newest data while an older page still shows: the grid never turns empty between two filters. */
export const machinesQuery = (filter: readonly string[], sort: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["machines", "list", filter, sort],
    queryFn: ({ pageParam, signal }) =>
      listMachines({
        // the first page is on the way of the first look, later ones are fetched ahead of the reader
        query: { limit: pageParam ? 200 : 60, filter: [...filter], sort: sort ?? "hostname", ...(pageParam ? { cursor: pageParam } : {}) },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: (before) => before,
  });

export const summaryQuery = (filter: readonly string[]) =>
  queryOptions({
    queryKey: ["machines", "summary", filter],
    queryFn: ({ signal }) => summariseMachines({ query: { filter: [...filter] }, signal }),
    placeholderData: (before) => before,
  });

export const facetQuery = (filter: readonly string[], column: string) =>
  queryOptions({
    queryKey: ["machines", "facet", filter, column],
    queryFn: ({ signal }) => summariseMachines({ query: { filter: [...filter], facet: column }, signal }),
  });

export const freshnessQuery = queryOptions({
  queryKey: ["cmdb", "freshness"],
  queryFn: ({ signal }) => getFreshness({ signal }),
  refetchInterval: 60_000,
});

export const viewsQuery = queryOptions({
  queryKey: ["views", PAGE],
  queryFn: ({ signal }) => listViews({ query: { page: PAGE }, signal }),
});

export const eligibilityQuery = (selection: Selection, action: Action) =>
  queryOptions({
    queryKey: ["machines", "eligible", action, choiceOf(selection)],
    queryFn: ({ signal }) => checkEligibility({ body: { action, ...choiceOf(selection) }, signal }),
    placeholderData: (before) => before,
  });

export const machineQuery = (id: string) =>
  queryOptions({
    queryKey: ["machines", "one", id],
    queryFn: ({ signal }) => getMachine({ path: { machine_id: id }, signal }),
  });

export const machineTicketsQuery = (id: string) =>
  queryOptions({
    queryKey: ["tickets", "of machine", id],
    queryFn: ({ signal }) => listMachineTickets({ path: { machine_id: id }, query: { limit: 100 }, signal }),
  });

export const machineHistoryQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["machines", "history", id],
    queryFn: ({ pageParam, signal }) =>
      listMachineHistory({ path: { machine_id: id }, query: { limit: 100, ...(pageParam ? { cursor: pageParam } : {}) }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });

export const find = (keys: string[]) => findMachines({ body: { keys } });
export const columnOf = (selection: Selection, column: string) =>
  selectMany({ body: { ...choiceOf(selection), column } });
export const idsOf = (selection: Selection) => selectMany({ body: choiceOf(selection) });
export const settle = (id: string, field: string, accept: "cmdb" | "machine") =>
  resolveConflict({ path: { machine_id: id, field }, body: { accept } });

export const keepView = (name: string, shared: boolean, state: Record<string, unknown>) =>
  createView({ body: { page: PAGE, name, shared, state } });
export const changeView = (id: string, state: Record<string, unknown>) =>
  updateView({ path: { view_id: id }, body: { state } });
export const dropView = (id: string) => deleteView({ path: { view_id: id } });

/** Address of a download of everything that matches. */
export function exportUrl(filter: readonly string[], sort: string | undefined, columns: readonly string[], format: "csv" | "json"): string {
  const query = new URLSearchParams([
    ...filter.map((text) => ["filter", text]),
    ...(sort ? [["sort", sort]] : []),
    ["columns", columns.join(",")],
    ["format", format],
  ]);
  return `/api/v1/machines/export?${query}`;
}
