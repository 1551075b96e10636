/** What a cell and the head of a row of the node matrix show. */
import { useTranslation } from "react-i18next";
import { StateTag } from "../../../components/state-tag";
import { Elapsed } from "../elapsed";
import { latest, type MatrixNode } from "../matrix";
import { lookOfState } from "../state-text";

/** Few elements: a screen holds two hundred of these. */
export function NodeCell({ node, step, skipped }: { node: MatrixNode; step: string; skipped: boolean }) {
  const { t } = useTranslation("tickets");
  const result = latest(node, step);
  if (!result) {
    const state = skipped ? "SKIPPED" : node.excludedAt !== null ? "EXCLUDED" : "PENDING";
    if (state !== "PENDING") return <StateTag kind="neutral">{t(`node.${state}`)}</StateTag>;
    return (
      <span className="muted" aria-label={t("node.PENDING")} role="img">
        ·
      </span>
    );
  }
  const attempts = node.results[step]?.length ?? 1;
  return (
    <span className="node-cell" title={result.summary} data-state={result.state}>
      <StateTag kind={lookOfState(result.state)}>{t(`node.${result.state}`)}</StateTag>
      <Elapsed className="node-cell-time mono" from={result.startedAt} to={result.endedAt} running={result.state === "RUNNING"} />
      {attempts > 1 && <span className="node-cell-attempts">{t("nodes.attempts", { count: attempts })}</span>}
    </span>
  );
}

export function NodeHead({ node }: { node: MatrixNode }) {
  const { t } = useTranslation("tickets");
  return (
    <span className="node-head" data-excluded={node.excludedAt !== null || undefined}>
      <bdi className="node-name ellipsis" title={node.name}>
        {node.name}
      </bdi>
      <span className="mono muted">{node.address}</span>
      {node.excludedAt !== null && (
        <span className="node-excluded" title={node.excludedReason ?? ""}>
          {t("node.EXCLUDED")}
        </span>
      )}
    </span>
  );
}
