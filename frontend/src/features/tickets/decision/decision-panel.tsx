/** Approve or reject: what is signed, what has changed since it was read, a comment. Beside the page, so that the plan
 * can be read meanwhile. Props: `ticket`; `onClose`. */
import { CloseOutlined } from "@ant-design/icons";
import { App, Button, Flex } from "antd";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../../api/problem";
import { ProblemAlert } from "../../../components/problem-alert";
import { ReasonButton } from "../../../components/reason-button";
import { useReasonText } from "../cause-text";
import { type DecisionBody, sendDecision } from "../queries";
import { decisionGates, gateKind, type OpenGate, type Staleness, staleness, type Subject, subjects } from "../state";
import type { Ticket } from "../types";
import { useTicketAction } from "../use-ticket";
import { Changed, useChangeCount } from "./changed";
import { DecisionComment } from "./decision-comment";
import { GateItem } from "./gate-item";

type Verdict = "approve" | "reject";

function useDecision(ticket: Ticket, onDone: () => void) {
  const { t } = useTranslation("tickets");
  const { message } = App.useApp();
  const [verdict, setVerdict] = useState<Verdict>("approve");
  const act = useTicketAction<DecisionBody>(
    ticket.id,
    (body) => sendDecision(ticket.id, body),
    (body) => {
      void message.success(t(`decide.done.${body.decision}`));
      onDone();
    },
  );
  const send = (decision: Verdict, chosen: readonly Subject[], comment: string) => {
    setVerdict(decision);
    const gates = chosen.map((one) => ({ gate_id: one.gateId, subject_hash: one.subjectHash }));
    act.mutate({ gates, decision, comment: comment.trim(), acting_for: chosen[0]?.actingFor ?? null });
  };
  return { act, send, pending: act.isPending ? verdict : null };
}

/** Why nothing can be signed at this moment; null when it can. */
function useRefusal(gates: readonly OpenGate[], stale: Staleness, chosen: number): string | null {
  const { t } = useTranslation("tickets");
  const reasonText = useReasonText();
  if (stale.kind === "gone" || gates.length === 0) return t("decide.gone");
  const refused = gates.every(({ gate }) => !gate.may_sign) ? gates[0]! : null;
  if (refused) return reasonText(refused.gate.reason ? { words: refused.gate.reason } : { key: "reason.mayNotSign" });
  return chosen === 0 ? t("decide.nothing") : null;
}

type ButtonsProps = {
  kind: string;
  stale: Staleness;
  refusal: string | null;
  pending: Verdict | null;
  changes: number;
  onApprove: () => void;
  onReject: () => void;
  onReview: () => void;
};

function Buttons({ kind, stale, refusal, pending, changes, onApprove, onReject, onReview }: ButtonsProps) {
  const { t } = useTranslation("tickets");
  const changed = stale.kind === "changed";
  return (
    <Flex gap={8} wrap>
      {changed ? (
        <Button type="primary" onClick={onReview} data-testid="re-review">
          {t("decide.reReview", { count: changes })}
        </Button>
      ) : (
        <ReasonButton type="primary" reason={refusal} loading={pending === "approve"} onClick={onApprove} data-testid="approve">
          {t(`decide.${kind}`)}
        </ReasonButton>
      )}
      <ReasonButton
        danger
        reason={changed ? t("decide.reReviewFirst") : refusal}
        loading={pending === "reject"}
        onClick={onReject}
        data-testid="reject"
      >
        {t("decide.reject")}
      </ReasonButton>
    </Flex>
  );
}

/** What is shown is kept while the ticket lives on: only a person replaces it by what is there now. */
function useShown(ticket: Ticket) {
  const gates = decisionGates(ticket);
  const now = subjects(gates);
  const [shown, setShown] = useState<Subject[]>(now);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const stale = staleness(shown, now);
  const visible = stale.kind === "same" ? gates.filter(({ gate }) => shown.some((one) => one.gateId === gate.id)) : gates;
  const chosen = shown.filter((one) => !left.has(one.gateId));
  const picked = visible.filter(({ gate }) => !left.has(gate.id));
  const pick = (id: string, on: boolean) => setLeft(new Set(on ? [...left].filter((one) => one !== id) : [...left, id]));
  return { gates, now, shown, stale, visible, chosen, picked, left, pick, review: () => setShown(now) };
}

/** The value as it was when `hold` began. */
function useHeld<T>(value: T, hold: boolean): T {
  const [kept, setKept] = useState(value);
  if (!hold && kept !== value) setKept(value);
  return hold ? kept : value;
}

export function DecisionPanel({ ticket: live, onClose }: { ticket: Ticket; onClose: () => void }) {
  const { t } = useTranslation("tickets");
  const { act, send, pending } = useDecision(live, onClose);
  // The ticket moves by this very decision, and the page may hear of that before the answer: no change to review.
  const ticket = useHeld(live, act.isPending || act.isSuccess);
  const view = useShown(ticket);
  const [comment, setComment] = useState("");
  const [missing, setMissing] = useState(false);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const changes = useChangeCount(ticket, view.shown, view.now, view.stale.kind === "changed" ? view.stale.steps.length : 0);
  const refusal = useRefusal(view.gates, view.stale, view.chosen.length);
  const reject = () => {
    if (comment.trim() === "") setMissing(true);
    else send("reject", view.chosen.slice(0, 1), comment);
  };
  return (
    <section className="decision" aria-labelledby="decision-title" ref={panel} tabIndex={-1} data-testid="decision">
      <Flex justify="space-between" align="center">
        <h2 id="decision-title">{t("decide.title")}</h2>
        <Button type="text" icon={<CloseOutlined />} aria-label={t("decide.close")} onClick={onClose} />
      </Flex>
      {view.stale.kind === "gone" && <p role="status">{t("decide.gone")}</p>}
      <ul className="decision-gates">
        {view.visible.map((open) => (
          <GateItem
            key={open.gate.id}
            open={open}
            hash={view.shown.find((one) => one.gateId === open.gate.id)?.subjectHash ?? open.gate.subject_hash}
            checked={!view.left.has(open.gate.id)}
            onCheck={view.visible.length === 1 ? null : (on) => view.pick(open.gate.id, on)}
          />
        ))}
      </ul>
      {view.stale.kind === "same" && view.stale.added.length > 0 && (
        <Button onClick={view.review} data-testid="more-gates">
          {t("decide.more")}
        </Button>
      )}
      <Changed ticket={ticket} shown={view.shown} now={view.now} />
      <DecisionComment value={comment} missing={missing && comment.trim() === ""} onChange={setComment} />
      {act.isError && <ProblemAlert problem={asProblem(act.error)} />}
      <Buttons
        kind={gateKind(view.picked.length > 0 ? view.picked : view.gates)}
        stale={view.stale}
        refusal={refusal}
        pending={pending}
        changes={changes}
        onApprove={() => send("approve", view.chosen, comment)}
        onReject={reject}
        onReview={view.review}
      />
      {view.picked.length === 2 && <small className="muted">{t("decide.two")}</small>}
    </section>
  );
}
