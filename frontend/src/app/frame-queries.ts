/** What the frame itself asks for: the stop-all switch and the number on the inbox. */
import { queryOptions } from "@tanstack/react-query";
import { getEngine } from "../api/client";
import { client } from "../api/client/client.gen";

export const engineQuery = queryOptions({
  queryKey: ["engine", "switch"],
  queryFn: ({ signal }) => getEngine({ signal }),
  refetchInterval: 60_000,
});

export type InboxCounts = Record<"approve" | "mine" | "failed" | "running" | "watching" | "done", number>;

export const inboxCountsQuery = queryOptions({
  queryKey: ["inbox", "counts"],
  queryFn: ({ signal }) =>
    client.get<{ 200: InboxCounts }, unknown, true, "data">({
      url: "/api/v1/inbox/counts",
      responseStyle: "data",
      throwOnError: true,
      signal,
    }),
});
