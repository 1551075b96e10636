/** Asks before an action and tells what it will do at this moment, in the api's words.
 * Props: `ticket`; `action`; `nodes` chosen ones for a retry or an exclusion (else all that the step left open). */
import { useQuery } from "@tanstack/react-query";
import { Alert, App, Input, Modal } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { useReasonText } from "./cause-text";
import type { MatrixNode } from "./matrix";
import { NodeNames } from "./node-names";
import { matrixQuery, sendCancel, sendClose, sendExclude, sendPause, sendResume, sendRetry } from "./queries";
import { actionReason, stuckStep } from "./state";
import type { ActionKey, Step, Ticket } from "./types";
import { useTicketAction } from "./use-ticket";

const NEEDS_REASON = new Set<ActionKey>(["close", "exclude"]);
const TAKES_REASON = new Set<ActionKey>(["cancel", "close", "exclude"]);
const DANGER = new Set<ActionKey>(["cancel", "close", "exclude"]);

type Input = { reason: string; step: Step | null; nodes: MatrixNode[]; chosen: boolean };

function send(ticket: Ticket, action: ActionKey, { reason, step, nodes, chosen }: Input) {
  const ids = nodes.map((node) => node.id);
  switch (action) {
    case "pause":
      return sendPause(ticket.id);
    case "resume":
      return sendResume(ticket.id);
    case "cancel":
      return sendCancel(ticket.id, reason);
    case "close":
      return sendClose(ticket.id, reason);
    case "exclude":
      return sendExclude(ticket.id, ids, reason);
    default:
      return sendRetry(ticket.id, step?.key ?? "", chosen ? ids : null);
  }
}

/** Whom the action is about: those that were chosen, else those that the api names. */
function affected(ticket: Ticket, action: ActionKey, nodes: readonly MatrixNode[], chosen: MatrixNode[] | null): MatrixNode[] {
  const named = new Set(ticket.actions[action].nodes);
  return chosen ?? nodes.filter((node) => named.has(node.id));
}

type Props = { ticket: Ticket; action: ActionKey; nodes?: MatrixNode[]; onClose: () => void };

export function ActionDialog({ ticket, action, nodes: chosen, onClose }: Props) {
  const { t, i18n } = useTranslation("tickets");
  const { message } = App.useApp();
  const reasonText = useReasonText();
  const matrix = useQuery(matrixQuery(ticket.id));
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const step = stuckStep(ticket);
  const nodes = affected(ticket, action, matrix.data ?? [], chosen ?? null);
  const act = useTicketAction<Input>(
    ticket.id,
    (input) => send(ticket, action, input),
    () => {
      void message.success(t(`action.done.${action}`));
      onClose();
    },
  );
  const refused = reasonText(actionReason(ticket, action));
  const confirm = () => {
    if (NEEDS_REASON.has(action) && reason.trim() === "") setMissing(true);
    else act.mutate({ reason: reason.trim(), step, nodes, chosen: chosen !== undefined });
  };
  return (
    <Modal
      open
      title={t(`action.ask.${action}`, { count: nodes.length, step: step ? pick(step.title, i18n.language) : "" })}
      okText={t(`action.${action}`)}
      cancelText={refused === null ? t("action.keep") : t("action.understood")}
      okButtonProps={{ danger: DANGER.has(action), loading: act.isPending, style: refused === null ? {} : { display: "none" } }}
      onOk={confirm}
      onCancel={onClose}
      destroyOnHidden
    >
      {refused !== null && <Alert type="info" showIcon title={refused} />}
      {refused === null && (
        <>
          <p className="action-effect">{pick(ticket.actions[action].effect, i18n.language)}</p>
          <NodeNames nodes={nodes} />
          {TAKES_REASON.has(action) && (
            <label className="action-reason">
              {t(NEEDS_REASON.has(action) ? "action.reason" : "action.reasonOptional")}
              <Input.TextArea
                autoFocus
                rows={2}
                maxLength={4000}
                value={reason}
                status={missing && reason.trim() === "" ? "error" : ""}
                onChange={(event) => setReason(event.target.value)}
              />
              {missing && reason.trim() === "" && <small className="error-text" role="alert">{t("action.reasonMissing")}</small>}
            </label>
          )}
        </>
      )}
      {act.isError && <ProblemAlert problem={asProblem(act.error)} />}
    </Modal>
  );
}
