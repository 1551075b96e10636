/** Why the ticket stopped: the most frequent causes, what may be done, and the machines' addresses to copy. */
import { useQuery } from "@tanstack/react-query";
import { Alert, Flex } from "antd";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { causesOf, failedAddresses, type FailureCause } from "./causes";
import { matrixQuery } from "./queries";
import { stuckStep } from "./state";
import type { Gate, Step, Ticket } from "./types";

const MOST = 3;

function Cause({ cause }: { cause: FailureCause }) {
  const { t, i18n } = useTranslation("tickets");
  const remedy = pick(cause.remedy, i18n.language);
  return (
    <li>
      <span className="cause-text">
        {cause.nodes.length > 0 && <strong>{t("failure.times", { count: cause.nodes.length })} </strong>}
        <bdi>{pick(cause.text, i18n.language)}</bdi> <code className="muted">{cause.code}</code>
      </span>
      {remedy !== "" && <div className="cause-remedy">{t("failure.remedy", { remedy })}</div>}
      {cause.nodes.length > 0 && (
        <div className="muted cause-nodes">
          <bdi>{cause.nodes.slice(0, 6).map((node) => node.name).join(", ")}</bdi>
          {cause.nodes.length > 6 && <> {t("common:danger.more", { count: cause.nodes.length - 6 })}</>}
        </div>
      )}
    </li>
  );
}

/** The person who closed the gate said why. */
function rejection(step: Step): { name: string; comment: string } | null {
  const rejected = step.gates.findLast((gate: Gate) => gate.state === "REJECTED");
  const said = rejected?.approvals.findLast((one) => one.decision === "REJECT");
  return said ? { name: said.approver_name ?? said.approver_id.slice(0, 8), comment: said.comment } : null;
}

export function FailureBanner({ ticket }: { ticket: Ticket }) {
  const { t, i18n } = useTranslation("tickets");
  const matrix = useQuery(matrixQuery(ticket.id));
  const step = stuckStep(ticket);
  if (!step) return null;
  const causes = causesOf(step, matrix.data ?? []);
  const addresses = failedAddresses(causes);
  const said = rejection(step);
  return (
    <Alert
      className="dense failure"
      type="error"
      showIcon
      role="region"
      aria-label={t("failure.label")}
      title={t(`failure.${step.state}`, { step: pick(step.title, i18n.language) })}
      description={
        <Flex vertical gap={6}>
          {said && <bdi>{t("failure.rejected", said)}</bdi>}
          {causes.length > 0 && (
            <ol className="causes">
              {causes.slice(0, MOST).map((cause) => (
                <Cause key={`${cause.code} ${cause.text.en}`} cause={cause} />
              ))}
            </ol>
          )}
          <Flex gap={12} align="center" wrap>
            {causes.length > MOST && <span className="muted">{t("failure.more", { count: causes.length - MOST })}</span>}
            <span>{t(`failure.next.${step.state}`)}</span>
            {addresses.length > 0 && (
              <CopyButton text={addresses.join("\n")} label={t("failure.copy")}>
                {t("failure.copyCount", { count: addresses.length })}
              </CopyButton>
            )}
          </Flex>
        </Flex>
      }
    />
  );
}
