/** A ticket that has been read: header, what went wrong, steps, tabs, and the decision panel beside them. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { DecisionPanel } from "./decision/decision-panel";
import { FailureBanner } from "./failure-banner";
import { currentStep } from "./rail";
import { ResolvePanel } from "./resolve-panel";
import type { Tab } from "./search";
import { decisionGates, readingFor, stuckStep, unknownAttempt } from "./state";
import { StepRail } from "./step-rail";
import { stuckQuery } from "./stuck/queries";
import { withStuck } from "./stuck/state";
import { StuckTicket } from "./stuck/stuck-banner";
import { TicketHeader } from "./ticket-header";
import { TicketTabs } from "./ticket-tabs";
import type { Ticket } from "./types";
import { FirstSeen } from "./use-seen";
import { useTicketLive, useTicketSearch } from "./use-ticket";

/** The tab that a visitor most likely wants. Asked once: a tab must not change under the eyes of its reader. */
export function firstTab(ticket: Ticket): Tab {
  const step = currentStep(ticket);
  if (!step || step.state === "WAIT_PRE_GATE" || step.state === "PLAN_FAILED" || step.round === 0) return "plan";
  return ticket.steps.some((one) => one.unit !== "TICKET" && Object.keys(one.counts).length > 0) ? "nodes" : "plan";
}

export function TicketView({ ticket: read }: { ticket: Ticket }) {
  useTicketLive(read);
  const { data: stuck } = useQuery(stuckQuery);
  const ticket = withStuck(read, stuck?.items ?? []);
  const [search, change] = useTicketSearch();
  const [first] = useState(() => firstTab(ticket));
  const step = search.step ?? currentStep(ticket)?.key ?? null;
  const lost = unknownAttempt(ticket);
  const deciding = search.decide === true;
  const [seenAtFirst] = useState(ticket.seen);
  return (
    <FirstSeen value={seenAtFirst}>
      <div className="page ticket" data-testid="ticket" data-state={ticket.state}>
        <TicketHeader
          ticket={ticket}
          onDecide={() => change({ ...readingFor(decisionGates(ticket)), decide: true, round: undefined, against: undefined })}
        />
        <StuckTicket ticketId={ticket.id} />
        {lost && <ResolvePanel ticket={ticket} step={lost.step} attempt={lost.attempt} />}
        {!lost && stuckStep(ticket) && <FailureBanner ticket={ticket} />}
        <div className="ticket-body" data-deciding={deciding || undefined}>
          <StepRail ticket={ticket} selected={step} onSelect={(key) => change({ step: key, round: undefined, against: undefined })} />
          <TicketTabs ticket={ticket} step={step} tab={search.tab ?? first} />
          {deciding && <DecisionPanel ticket={ticket} onClose={() => change({ decide: undefined, step: undefined })} />}
        </div>
      </div>
    </FirstSeen>
  );
}
