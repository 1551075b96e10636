/** What the frame itself asks for: the stop-all switch. The number on the inbox is shared with its page. */
import { queryOptions } from "@tanstack/react-query";
import { getEngine } from "../api/client";

export const engineQuery = queryOptions({
  queryKey: ["engine", "switch"],
  queryFn: ({ signal }) => getEngine({ signal }),
  refetchInterval: 60_000,
});
