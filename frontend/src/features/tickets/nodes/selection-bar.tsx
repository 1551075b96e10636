/** What may be done with the chosen nodes, and why not. */
import { Button, Flex } from "antd";
import { useTranslation } from "react-i18next";
import { CopyButton } from "../../../components/copy-button";
import { ReasonButton } from "../../../components/reason-button";
import { useReasonText } from "../cause-text";
import type { MatrixNode } from "../matrix";
import { actionReason } from "../state";
import type { Ticket } from "../types";

type Props = {
  ticket: Ticket;
  chosen: MatrixNode[];
  /** Those of them that a retry would touch. */
  retryable: MatrixNode[];
  onAsk: (action: "retry" | "exclude", nodes: MatrixNode[]) => void;
  onClear: () => void;
};

export function SelectionBar({ ticket, chosen, retryable, onAsk, onClear }: Props) {
  const { t } = useTranslation("tickets");
  const reasonText = useReasonText();
  const left = chosen.filter((node) => node.excludedAt === null);
  const noRetry = reasonText(actionReason(ticket, "retry")) ?? (retryable.length === 0 ? t("nodes.nothingToRetry") : null);
  const noExclude = reasonText(actionReason(ticket, "exclude")) ?? (left.length === 0 ? t("nodes.nothingToExclude") : null);
  return (
    <Flex className="selection-bar" gap={8} align="center" wrap role="toolbar" aria-label={t("nodes.selection")}>
      <strong aria-live="polite">{t("nodes.selected", { count: chosen.length })}</strong>
      <ReasonButton size="small" type="primary" reason={noRetry} onClick={() => onAsk("retry", retryable)}>
        {t("nodes.retry", { count: retryable.length })}
      </ReasonButton>
      <ReasonButton size="small" danger reason={noExclude} onClick={() => onAsk("exclude", left)}>
        {t("nodes.exclude", { count: left.length })}
      </ReasonButton>
      <CopyButton text={chosen.map((node) => node.address || node.name).join("\n")} label={t("nodes.copyAddresses")}>
        {t("nodes.copyAddresses")}
      </CopyButton>
      <Button size="small" type="text" onClick={onClear}>
        {t("nodes.clear")}
      </Button>
    </Flex>
  );
}
