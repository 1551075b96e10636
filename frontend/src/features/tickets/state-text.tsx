/** A state of a ticket, step, node, attempt, gate or check as sign and word.
 * Props: `kind` whose state it is; `state` as the api says it; `detail` more behind the word; `compact` only the sign, with
 * the word for screen readers; `badge` framed. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type StateKind as Look, StateTag } from "../../components/state-tag";

export type StateKind = "ticket" | "step" | "node" | "attempt" | "gate" | "finding";

const LOOKS: Record<Look, string> = {
  success: "SUCCEEDED DONE APPROVED RESOLVED_DONE ok",
  running: "ACTIVE PLANNING READY RUNNING CLAIMED",
  waiting: "QUEUED WAIT_PRE_GATE WAIT_POST_GATE WAIT_CALLBACK OPEN",
  paused: "PAUSED",
  failed: "FAILED REJECTED PLAN_FAILED GATE_CLOSED PARTIAL UNREACHABLE RESOLVED_FAILED error",
  warning: "ATTENTION warning",
  unknown: "UNKNOWN unknown",
  neutral: "CANCELLED EXPIRED PENDING SKIPPED NOT_STARTED EXCLUDED ABANDONED VOID notrun",
};

const BY_STATE = new Map(
  Object.entries(LOOKS).flatMap(([look, states]) => states.split(" ").map((state) => [state, look as Look] as const)),
);

export const lookOfState = (state: string): Look => BY_STATE.get(state) ?? "neutral";

/** The sign alone; the word must stand beside it. */
export function StateIcon({ state }: { state: string }) {
  return <StateTag kind={lookOfState(state)}>{null}</StateTag>;
}

export function StateText(props: { kind: StateKind; state: string; detail?: ReactNode; compact?: boolean; badge?: boolean }) {
  const { t } = useTranslation("tickets");
  return (
    <span className={props.badge ? "state state-badge" : "state"} data-state={props.state}>
      <StateTag kind={lookOfState(props.state)}>
        <span className={props.compact ? "visually-hidden" : "state-word"}>{t(`${props.kind}.${props.state}`)}</span>
      </StateTag>
      {props.detail}
    </span>
  );
}
