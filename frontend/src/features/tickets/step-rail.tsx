/** The steps of a ticket, one below the other: how each stands, its two gates, its time, what it waits for.
 * Props: `ticket`; `selected` key of the step that the tabs show; `onSelect`. */
import { CheckOutlined, CloseOutlined, FieldTimeOutlined, MinusOutlined, StopOutlined, UserOutlined } from "@ant-design/icons";
import { Tooltip } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { useCauseText } from "./cause-text";
import { Spent } from "./elapsed";
import { type GateView, holders, type RailStep, railOf } from "./rail";
import { StateIcon, StateText } from "./state-text";
import { TicketLink } from "./ticket-link";
import type { Ticket } from "./types";

const GATE_ICONS: Record<GateView["state"], ReactNode> = {
  none: <MinusOutlined />,
  later: <UserOutlined />,
  open: <UserOutlined />,
  approved: <CheckOutlined />,
  rejected: <CloseOutlined />,
  expired: <FieldTimeOutlined />,
  void: <StopOutlined />,
};

/** Who signed stands in place of the word; the word stays for screen readers. */
function GateMark({ phase, gate }: { phase: "pre" | "post"; gate: GateView }) {
  const { t } = useTranslation("tickets");
  if (gate.state === "none") return null;
  const count = gate.quorum > 1 ? ` ${gate.approvals}/${gate.quorum}` : "";
  return (
    <span className="gate-mark" data-gate={gate.state}>
      <span className="gate-phase">{t(`rail.${phase}`)}</span>
      <span aria-hidden="true">{GATE_ICONS[gate.state]}</span>
      <span className={gate.by.length > 0 ? "visually-hidden" : ""}>{t(`rail.gate.${gate.state}`)}</span>
      {count}
      {gate.by.map(({ id, name }) => (
        <bdi key={id} className="gate-person" title={name}>
          {name}
        </bdi>
      ))}
    </span>
  );
}

function Counts({ step }: { step: RailStep }) {
  if (step.counts.length === 0) return null;
  return (
    <span className="rail-counts">
      {step.counts.map(({ state, count }) => (
        <StateText key={state} kind="node" state={state} detail={<b>{count}</b>} />
      ))}
    </span>
  );
}

function CauseLine({ step }: { step: RailStep }) {
  const { t } = useTranslation("tickets");
  const text = useCauseText();
  const cause = step.cause;
  if (!cause || cause.kind === "before" || cause.kind === "person") return null;
  const held = cause.kind === "locks" ? holders(cause.locks) : [];
  return (
    <span className="rail-cause">
      {held.length > 0 ? t("cause.held") : text(cause)}
      {held.map(({ id, number }) => (
        <TicketLink key={id} number={number} />
      ))}
    </span>
  );
}

function RailItem({ step, selected, onSelect }: { step: RailStep; selected: boolean; onSelect: (key: string) => void }) {
  const { t, i18n } = useTranslation("tickets");
  const quiet = step.look === "pending" || step.look === "skipped";
  return (
    <li className="rail-step" data-look={step.look} data-current={step.current || undefined} data-step={step.key}>
      <Tooltip title={pick(step.does, i18n.language)} placement="right" mouseEnterDelay={0.6}>
        <button type="button" className="rail-head" aria-current={selected ? "step" : undefined} onClick={() => onSelect(step.key)}>
          <StateIcon state={step.state} />
          <span className="rail-title">
            {step.number} {pick(step.title, i18n.language)}
          </span>
          {quiet ? (
            <span className="rail-state">{t(`step.${step.state}`)}</span>
          ) : (
            <Spent className="rail-time mono" spent={step.spent} since={step.since} />
          )}
        </button>
      </Tooltip>
      <div className="rail-body">
        {!quiet && (
          <span className="rail-line">
            {/* What it waits for says the same, and more. */}
            {step.cause?.kind !== "gate" && <span className="rail-state">{t(`step.${step.state}`)}</span>}
            <Counts step={step} />
          </span>
        )}
        <CauseLine step={step} />
        <span className="rail-gates">
          <GateMark phase="pre" gate={step.pre} />
          <GateMark phase="post" gate={step.post} />
        </span>
      </div>
    </li>
  );
}

export function StepRail({ ticket, selected, onSelect }: { ticket: Ticket; selected: string | null; onSelect: (key: string) => void }) {
  const { t } = useTranslation("tickets");
  return (
    <nav className="rail" aria-label={t("rail.label")}>
      <ol>
        {railOf(ticket).map((step) => (
          <RailItem key={step.key} step={step} selected={step.key === selected} onSelect={onSelect} />
        ))}
      </ol>
    </nav>
  );
}
