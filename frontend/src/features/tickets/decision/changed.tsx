/** What is different now from what the decision panel has shown, and from what this person saw last. */
import { useQueries } from "@tanstack/react-query";
import { useContext } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { changesQuery } from "../queries";
import { changedSinceSeen, type Subject } from "../state";
import type { Ticket } from "../types";
import { FirstSeen } from "../use-seen";
import { ChangeList } from "./change-list";
import { changedPlans, readable } from "./changes";

/** How many differences there are to read again; a step whose differences are not known yet counts one. */
export function useChangeCount(ticket: Ticket, shown: readonly Subject[], now: readonly Subject[], steps: number): number {
  const { i18n } = useTranslation();
  const pairs = changedPlans(shown, now);
  const found = useQueries({ queries: pairs.map((pair) => changesQuery(ticket.id, pair.step, pair.before, pair.after)) });
  const counted = found.reduce((sum, one) => sum + (one.data ? readable(one.data, i18n.language).length : 1), 0);
  return Math.max(counted, steps, 1);
}

export function Changed({ ticket, shown, now }: { ticket: Ticket; shown: readonly Subject[]; now: readonly Subject[] }) {
  const { t, i18n } = useTranslation("tickets");
  const first = useContext(FirstSeen);
  const title = (key: string) => {
    const step = ticket.steps.find((one) => one.key === key);
    return step ? pick(step.title, i18n.language) : key;
  };
  const pairs = changedPlans(shown, now);
  const seen = changedSinceSeen({ ...ticket, seen: first }).filter(
    ({ step }) => now.some((one) => one.step === step.key) && !pairs.some((pair) => pair.step === step.key),
  );
  return (
    <div aria-live="polite" className="decision-changes">
      {pairs.map((pair) => (
        <ChangeList key={pair.step} ticketId={ticket.id} {...pair} title={t("decide.changedNow", { step: title(pair.step) })} />
      ))}
      {seen.map(({ step, before, after }) => (
        <ChangeList
          key={step.key}
          ticketId={ticket.id}
          step={step.key}
          before={before}
          after={after}
          title={t("decide.changedSeen", { step: title(step.key) })}
        />
      ))}
    </div>
  );
}
