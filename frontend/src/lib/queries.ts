/** Requests that the frame and several features share. */
import { queryOptions } from "@tanstack/react-query";
import { countInbox, getMe, type Me } from "../api/client";

export const meKey = ["me"] as const;

/** Who is signed in. Kept until a sign-out: roles are asked for again at every start and by every refused request. */
export const meQuery = queryOptions({
  queryKey: meKey,
  queryFn: ({ signal }) => getMe({ signal }),
  staleTime: 5 * 60_000,
  retry: false,
});

/** May this person do it on that cluster (null: anywhere at all)? For showing; the api decides. */
export function may(me: Me, permission: string, clusterId: string | null = null): boolean {
  const where = me.permissions[permission];
  if (where === undefined) return false;
  return where === null || (clusterId === null ? where.length > 0 : where.includes(clusterId));
}

/** How much of each kind waits for this person: on the frame's badge and on the tabs of the inbox. */
export const inboxCountsQuery = queryOptions({
  queryKey: ["inbox", "counts"],
  queryFn: ({ signal }) => countInbox({ signal }),
});
