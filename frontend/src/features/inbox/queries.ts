/** Requests of the inbox. Its rows go stale with hints of the topic `inbox`, as the numbers of the frame do. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import { decide, listInbox } from "../../api/client";
import { asProblem, type Problem } from "../../api/problem";
import { decisionOf, type Row, type Tab, type Verdict } from "./state";

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

const TOGETHER = 3;

/** One decision for several tickets. Each is decided by itself: a refusal of one leaves the others done. */
export async function decideAll(
  rows: readonly Row[],
  verdict: Verdict,
  comment: string,
  onOutcome: (ticketId: string, outcome: Outcome) => void,
): Promise<void> {
  const left = [...rows];
  const work = async () => {
    for (let row = left.shift(); row; row = left.shift()) {
      const ticket_id = row.ticket.id;
      try {
        await decide({ path: { ticket_id }, body: decisionOf(row, verdict, comment) });
        onOutcome(ticket_id, null);
      } catch (error) {
        onOutcome(ticket_id, asProblem(error));
      }
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
}
