/** What is different now from what the decision panel has shown, and from what this person saw last. */
import { useContext } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { changedSinceSeen, type Subject } from "../state";
import type { Ticket } from "../types";
import { FirstSeen } from "../use-seen";
import { ChangeList } from "./change-list";

export function Changed({ ticket, shown, now }: { ticket: Ticket; shown: readonly Subject[]; now: readonly Subject[] }) {
  const { t, i18n } = useTranslation("tickets");
  const first = useContext(FirstSeen);
  const title = (key: string) => {
    const step = ticket.steps.find((one) => one.key === key);
    return step ? pick(step.title, i18n.language) : key;
  };
  const pairs = now.flatMap((one) => {
    const before = shown.find((other) => other.step === one.step && other.phase === one.phase);
    return before && before.planHash !== one.planHash ? [{ step: one.step, before: before.planHash, after: one.planHash }] : [];
  });
  const seen = changedSinceSeen({ ...ticket, seen: first }).filter(({ step }) => now.some((one) => one.step === step.key) && !pairs.some((pair) => pair.step === step.key));
  return (
    <div aria-live="polite" className="decision-changes">
      {pairs.map((pair) => (
        <ChangeList key={pair.step} ticketId={ticket.id} {...pair} title={t("decide.changedNow", { step: title(pair.step) })} />
      ))}
      {seen.map(({ step, before, after }) => (
        <ChangeList key={step.key} ticketId={ticket.id} step={step.key} before={before} after={after} title={t("decide.changedSeen", { step: title(step.key) })} />
      ))}
    </div>
  );
}
