/** What is stuck. The key begins with `engine`: the server's hint on that topic makes it stale. */
import { queryOptions } from "@tanstack/react-query";
import { listStuck, repairStuck } from "../../../api/client";

export const stuckQuery = queryOptions({
  queryKey: ["engine", "stuck"],
  queryFn: ({ signal }) => listStuck({ signal }),
  // Who looks for what is stuck may not be able to tell: the broker carries the hints.
  refetchInterval: 30_000,
});

export const sendRepair = (id: string, reason: string) => repairStuck({ path: { stuck_id: id }, body: { reason } });
