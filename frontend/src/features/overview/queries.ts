/** The one request of the overview. */
import { queryOptions } from "@tanstack/react-query";
import { getOverview } from "../../api/client";

/** "Today" is the day of the person who looks. */
export const overviewQuery = queryOptions({
  queryKey: ["tickets", "overview"],
  queryFn: ({ signal }) => getOverview({ query: { tz: Intl.DateTimeFormat().resolvedOptions().timeZone }, signal }),
  refetchInterval: 60_000,
});
