/** Requests of the inbox. Its rows go stale with hints of the topic `inbox`, as the numbers of the frame do. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import { decideAll, listInbox } from "../../api/client";
import { asProblem, Problem } from "../../api/problem";
import { itemOf, type Row, type Tab, type Verdict } from "./state";

const PAGE = 50;

export const inboxQuery = (tab: Tab) =>
  infiniteQueryOptions({
    queryKey: ["inbox", "list", tab] as const,
    queryFn: ({ pageParam, signal }) => listInbox({ query: { tab, limit: PAGE, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

/** `null`: done. */
export type Outcome = Problem | null;

/** Fewer than the api takes, so that the first results show soon. */
const TOGETHER = 25;

/** One decision for several tickets. Each is decided by itself: a refusal of one leaves the others done. */
export async function sendDecisions(
  rows: readonly Row[],
  verdict: Verdict,
  comment: string,
  onOutcomes: (outcomes: ReadonlyArray<readonly [string, Outcome]>) => void,
): Promise<void> {
  for (let at = 0; at < rows.length; at += TOGETHER) {
    const part = rows.slice(at, at + TOGETHER);
    try {
      const items = part.map((row) => itemOf(row, verdict));
      const found = await decideAll({ body: { items, decision: verdict, comment: comment.trim() } });
      onOutcomes(found.map((one) => [one.ticket_id, one.problem ? new Problem(one.problem) : null] as const));
    } catch (error) {
      onOutcomes(part.map((row) => [row.ticket.id, asProblem(error)] as const));
    }
  }
}
