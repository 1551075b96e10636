/** Across every page: what stands still and concerns this person. Its look is fetched when there is something. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { loadTexts } from "../../../lib/i18n";
import { stuckQuery } from "./queries";
import { forBanner, ofTicket } from "./state";

const StuckList = lazy(async () => {
  const [module] = await Promise.all([import("./stuck-list"), loadTexts("stuck")]);
  return { default: module.StuckList };
});

export function StuckBanner() {
  const { data } = useQuery(stuckQuery);
  const page: { ticket?: string } = useParams({ strict: false });
  const items = forBanner(data?.items ?? [], page.ticket === undefined ? null : Number(page.ticket));
  if (items.length === 0) return null;
  return (
    <Suspense fallback={null}>
      <StuckList items={items} banner />
    </Suspense>
  );
}

/** On a ticket's page: why it stands still. What concerns the whole installation is in the banner above. */
export function StuckTicket({ ticketId }: { ticketId: string }) {
  const { data } = useQuery(stuckQuery);
  const items = ofTicket(data?.items ?? [], ticketId).filter((item) => !item.everybody);
  if (items.length === 0) return null;
  return (
    <Suspense fallback={null}>
      <StuckList items={items} ticketId={ticketId} />
    </Suspense>
  );
}
