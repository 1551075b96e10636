/** A state as sign and word, never as colour alone.
 * Props: `kind` whose state it is; `state` as the api says it; `detail` more words behind it; `compact` only the sign,
 * with the word for screen readers. */
import {
  CheckCircleFilled,
  ClockCircleOutlined,
  CloseCircleFilled,
  DisconnectOutlined,
  ExclamationCircleFilled,
  LoadingOutlined,
  MinusCircleOutlined,
  PauseCircleFilled,
  QuestionCircleFilled,
  StopOutlined,
  UserOutlined,
} from "@ant-design/icons";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

export type StateKind = "ticket" | "step" | "node" | "attempt" | "gate" | "finding";
export type Tone = "good" | "busy" | "wait" | "bad" | "warn" | "mute";

const TONES: Record<string, Tone> = {
  // tickets
  QUEUED: "wait", ACTIVE: "busy", PAUSED: "warn", ATTENTION: "bad", SUCCEEDED: "good", CANCELLED: "mute", REJECTED: "bad", EXPIRED: "mute",
  // steps, attempts and nodes
  PENDING: "mute", PLANNING: "busy", PLAN_FAILED: "bad", WAIT_PRE_GATE: "wait", GATE_CLOSED: "bad", READY: "busy", RUNNING: "busy",
  WAIT_CALLBACK: "wait", PARTIAL: "bad", FAILED: "bad", UNKNOWN: "warn", WAIT_POST_GATE: "wait", DONE: "good", SKIPPED: "mute",
  UNREACHABLE: "bad", NOT_STARTED: "mute", EXCLUDED: "mute", CLAIMED: "busy", ABANDONED: "mute", RESOLVED_DONE: "good", RESOLVED_FAILED: "bad",
  // gates
  OPEN: "wait", APPROVED: "good", VOID: "mute",
  // checks
  ok: "good", warning: "warn", error: "bad", unknown: "warn", notrun: "mute",
};

const ICONS: Record<string, ReactNode> = {
  PAUSED: <PauseCircleFilled />,
  UNREACHABLE: <DisconnectOutlined />,
  UNKNOWN: <QuestionCircleFilled />,
  ATTENTION: <ExclamationCircleFilled />,
  PARTIAL: <ExclamationCircleFilled />,
  WAIT_PRE_GATE: <UserOutlined />,
  WAIT_POST_GATE: <UserOutlined />,
  OPEN: <UserOutlined />,
  CANCELLED: <StopOutlined />,
  VOID: <StopOutlined />,
  EXCLUDED: <StopOutlined />,
};

const BY_TONE: Record<Tone, ReactNode> = {
  good: <CheckCircleFilled />,
  busy: <LoadingOutlined />,
  wait: <ClockCircleOutlined />,
  bad: <CloseCircleFilled />,
  warn: <ExclamationCircleFilled />,
  mute: <MinusCircleOutlined />,
};

export const toneOf = (state: string): Tone => TONES[state] ?? "mute";

export function StateIcon({ state }: { state: string }) {
  return (
    <span className="state-icon" data-tone={toneOf(state)} aria-hidden="true">
      {ICONS[state] ?? BY_TONE[toneOf(state)]}
    </span>
  );
}

export function StateText(props: { kind: StateKind; state: string; detail?: ReactNode; compact?: boolean; badge?: boolean }) {
  const { t } = useTranslation("tickets");
  const word = t(`${props.kind}.${props.state}`);
  return (
    <span className={props.badge ? "state state-badge" : "state"} data-tone={toneOf(props.state)} data-state={props.state}>
      <StateIcon state={props.state} />
      <span className={props.compact ? "visually-hidden" : "state-word"}>{word}</span>
      {props.detail}
    </span>
  );
}
