/** What a cell and the head of a row of the node matrix show. */
import { useTranslation } from "react-i18next";
import { Elapsed } from "../elapsed";
import { latest, type MatrixNode } from "../matrix";
import { StateIcon, StateText } from "../state-text";

export function NodeCell({ node, step, skipped }: { node: MatrixNode; step: string; skipped: boolean }) {
  const { t } = useTranslation("tickets");
  const result = latest(node, step);
  if (!result) {
    const state = skipped ? "SKIPPED" : node.excludedAt !== null ? "EXCLUDED" : "PENDING";
    return (
      <span className="node-cell" data-tone="mute" data-state={state}>
        <span className="state-icon" aria-hidden="true">
          {state === "PENDING" ? "·" : <StateIcon state={state} />}
        </span>
        <span className={state === "PENDING" ? "visually-hidden" : ""}>{t(`node.${state}`)}</span>
      </span>
    );
  }
  const attempts = node.results[step]?.length ?? 1;
  return (
    <span className="node-cell" title={result.summary}>
      <StateText kind="node" state={result.state} />
      <span className="node-cell-time mono">
        <Elapsed from={result.startedAt} to={result.endedAt} running={result.state === "RUNNING"} />
      </span>
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
