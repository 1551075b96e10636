/** Title of a page and its one primary action.
 * Props: `title`; `sub` small text or tags beside it; `primary` {label, onClick | href, reason?, loading?} where `reason`
 * (why it cannot be done now) disables it and is told; `secondary` further buttons, left of the primary one. */
import type { ReactNode } from "react";
import { ReasonButton } from "./reason-button";

export type PrimaryAction = {
  label: string;
  onClick: () => void;
  reason?: string | null;
  loading?: boolean;
  icon?: ReactNode;
};

export function PageHeader(props: {
  title: ReactNode;
  sub?: ReactNode;
  primary?: PrimaryAction;
  secondary?: ReactNode;
}) {
  return (
    <div className="page-header">
      <div>
        <h1 className="page-title">{props.title}</h1>
        {props.sub && <div className="muted">{props.sub}</div>}
      </div>
      <div className="page-header-actions">
        {props.secondary}
        {props.primary && (
          <ReasonButton
            type="primary"
            icon={props.primary.icon}
            reason={props.primary.reason ?? null}
            loading={props.primary.loading ?? false}
            onClick={props.primary.onClick}
          >
            {props.primary.label}
          </ReasonButton>
        )}
      </div>
    </div>
  );
}
