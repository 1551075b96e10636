/** A state: icon and text, never colour alone.
 * Props: `kind` what it means for the reader; `children` the state's word. Which state is of which kind is for the feature. */
import {
  CheckCircleFilled,
  ClockCircleOutlined,
  CloseCircleFilled,
  ExclamationCircleFilled,
  MinusCircleOutlined,
  PauseCircleOutlined,
  QuestionCircleFilled,
  SyncOutlined,
} from "@ant-design/icons";
import type { ComponentType, ReactNode } from "react";

export type StateKind = "success" | "running" | "waiting" | "paused" | "failed" | "warning" | "unknown" | "neutral";

const ICONS: Record<StateKind, ComponentType<{ "aria-hidden"?: boolean }>> = {
  success: CheckCircleFilled,
  running: SyncOutlined,
  waiting: ClockCircleOutlined,
  paused: PauseCircleOutlined,
  failed: CloseCircleFilled,
  warning: ExclamationCircleFilled,
  unknown: QuestionCircleFilled,
  neutral: MinusCircleOutlined,
};

export function StateTag({ kind, children }: { kind: StateKind; children: ReactNode }) {
  const Icon = ICONS[kind];
  return (
    <span className="state-tag" data-kind={kind}>
      <Icon aria-hidden />
      {children}
    </span>
  );
}
