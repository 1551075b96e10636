/** What the ticket is, and the one thing to do next. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { PageHeader, type PrimaryAction } from "../../components/page-header";
import { TimeText } from "../../components/time-text";
import { ActionDialog } from "./action-dialog";
import { ActionMenu } from "./action-menu";
import { useCauseText, useReasonText } from "./cause-text";
import { causeOf, currentStep, runsOf } from "./rail";
import { type Primary, primaryOf } from "./state";
import { StateText } from "./state-text";
import type { ActionKey, Ticket } from "./types";
import { WatchButton } from "./watch-button";

const RESOLVE_PANEL = "resolve-panel";

function usePrimary(ticket: Ticket, ask: (key: ActionKey) => void, decide: () => void): PrimaryAction | null {
  const { t, i18n } = useTranslation("tickets");
  const reasonText = useReasonText();
  const causeText = useCauseText();
  const primary = primaryOf(ticket);
  if (!primary) return null;
  const step = primary.step ? pick(primary.step.title, i18n.language) : "";
  const onClick = () => {
    if (primary.kind === "retry" || primary.kind === "replan") ask("retry");
    else if (primary.kind === "resume") ask("resume");
    else if (primary.kind === "resolve") document.getElementById(RESOLVE_PANEL)?.focus();
    else decide();
  };
  const waits = (one: Primary) => {
    const cause = one.step && causeOf(ticket, one.step, true);
    return cause ? t("reason.waitsFor", { step, cause: causeText(cause) }) : t("reason.waits");
  };
  const reason = primary.kind === "wait" ? waits(primary) : reasonText(primary.reason);
  return { label: t(`primary.${primary.kind}`, { step, count: ticket.actions.retry.nodes.length }), onClick, reason };
}

function Facts({ ticket }: { ticket: Ticket }) {
  const { t, i18n } = useTranslation("tickets");
  const step = currentStep(ticket);
  const at = ticket.steps.findIndex((one) => one.key === step?.key) + 1;
  const runs = step ? runsOf(step).length : 0;
  return (
    <dl className="facts">
      {ticket.cluster_name !== null && <Fact name={t("list.cluster")} value={<bdi>{ticket.cluster_name}</bdi>} />}
      <Fact name={t("head.targets")} value={ticket.targets} />
      <Fact name={t("list.risk")} value={t(`risk.${ticket.risk}`)} />
      <Fact name={t("list.policy")} value={t(`policy.${ticket.policy}`)} />
      <Fact name={t("list.requester")} value={<bdi>{ticket.requester_name ?? ticket.requester_id.slice(0, 8)}</bdi>} />
      <Fact name={t("head.age")} value={<TimeText at={ticket.created_at} />} />
      {ticket.ended_at && <Fact name={t("list.ended")} value={<TimeText at={ticket.ended_at} />} />}
      {step && !ticket.ended_at && (
        <Fact
          name={t("head.step")}
          value={
            <>
              {t("head.stepOf", { at, count: ticket.steps.length, title: pick(step.title, i18n.language) })}
              {runs > 1 && <> {t("head.attempt", { count: runs })}</>}
            </>
          }
        />
      )}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function TicketHeader({ ticket, onDecide }: { ticket: Ticket; onDecide: () => void }) {
  const { i18n } = useTranslation();
  const [asked, setAsked] = useState<ActionKey | null>(null);
  const primary = usePrimary(ticket, setAsked, onDecide);
  return (
    <header className="ticket-header">
      <PageHeader
        title={
          <span className="ticket-title">
            <span className="mono">#{ticket.number}</span>
            <span>{pick(ticket.flow_title, i18n.language)}</span>
            <bdi className="ticket-summary">{ticket.summary}</bdi>
            <span role="status">
              <StateText kind="ticket" state={ticket.state} badge />
            </span>
          </span>
        }
        secondary={
          <>
            {ticket.ended_at === null && <WatchButton ticket={ticket} />}
            <ActionMenu ticket={ticket} onAsk={setAsked} />
          </>
        }
        {...(primary ? { primary } : {})}
      />
      <Facts ticket={ticket} />
      {asked && <ActionDialog ticket={ticket} action={asked} onClose={() => setAsked(null)} />}
    </header>
  );
}
