/** Approve or reject: what is signed, what has changed since it was read, a comment. Beside the page, so that the plan
 * can be read meanwhile. Props: `ticket`; `onClose`. */
import { CloseOutlined } from "@ant-design/icons";
import { App, Button, Checkbox, Flex, Input, Tag } from "antd";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../../api/problem";
import { ProblemAlert } from "../../../components/problem-alert";
import { UserName } from "../../../components/user-name";
import { ReasonButton } from "../../../components/reason-button";
import { permissionKey, useReasonText } from "../cause-text";
import { type DecisionBody, sendDecision } from "../queries";
import { gateKind, decisionGates, type OpenGate, primaryOf, staleness, type Subject, subjects } from "../state";
import type { Ticket } from "../types";
import { useSeen } from "../use-seen";
import { useTicketAction, useTicketSearch } from "../use-ticket";
import { Changed } from "./changed";

const TEMPLATES = ["targets", "window", "diff", "checks"] as const;

function GateItem({ open, subject, checked, single, onCheck }: { open: OpenGate; subject: Subject; checked: boolean; single: boolean; onCheck: (on: boolean) => void }) {
  const { t, i18n } = useTranslation("tickets");
  const [, change] = useTicketSearch();
  const title = `${pick(open.step.title, i18n.language)} · ${t(`phase.${open.gate.phase}`)}`;
  return (
    <li className="decision-gate">
      {single ? (
        <strong>{title}</strong>
      ) : (
        <Checkbox checked={checked} onChange={(event) => onCheck(event.target.checked)}>
          <strong>{title}</strong>
        </Checkbox>
      )}
      <div className="decision-about">
        <span>{t(`decide.what.${open.gate.phase}`)}</span>{" "}
        <code title={subject.subjectHash} data-testid="subject-hash">
          {subject.subjectHash.slice(0, 10)}
        </code>
        {open.gate.quorum > 1 && (
          <span className="muted">
            {" "}
            {t("decide.quorum", { done: open.gate.approvals.filter((one) => one.revoked_at === null).length, count: open.gate.quorum })}
          </span>
        )}{" "}
        <Button
          type="link"
          size="small"
          onClick={() => change({ tab: open.gate.phase === "PRE" ? "plan" : "nodes", step: open.step.key, node: undefined })}
        >
          {t(`decide.read.${open.gate.phase}`)}
        </Button>
      </div>
      <span className="muted">{t("approvals.role", { role: t(permissionKey(open.gate.permission)) })}</span>
      {open.gate.acting_for !== null && (
        <span>
          {t("decide.actingFor")} <UserName id={open.gate.acting_for} />
        </span>
      )}
    </li>
  );
}

function Comment({ value, missing, onChange }: { value: string; missing: boolean; onChange: (value: string) => void }) {
  const { t } = useTranslation("tickets");
  return (
    <div>
      <label className="action-reason">
        {t("decide.comment")}
        <Input.TextArea
          rows={3}
          maxLength={4000}
          value={value}
          status={missing ? "error" : ""}
          onChange={(event) => onChange(event.target.value)}
          data-testid="decision-comment"
        />
      </label>
      {missing && (
        <small className="error-text" role="alert">
          {t("decide.reasonMissing")}
        </small>
      )}
      <div className="templates" role="group" aria-label={t("decide.templates")}>
        {TEMPLATES.map((name) => (
          <Button key={name} size="small" onClick={() => onChange(value === "" ? t(`decide.template.${name}`) : `${value}\n${t(`decide.template.${name}`)}`)}>
            {t(`decide.template.${name}`)}
          </Button>
        ))}
      </div>
    </div>
  );
}

function useDecision(ticket: Ticket, onDone: () => void) {
  const { t } = useTranslation("tickets");
  const { message } = App.useApp();
  const [verdict, setVerdict] = useState<"approve" | "reject">("approve");
  const act = useTicketAction<DecisionBody>(
    ticket.id,
    (body) => sendDecision(ticket.id, body),
    () => {
      void message.success(t(`decide.done.${verdict}`));
      onDone();
    },
  );
  const send = (decision: "approve" | "reject", chosen: readonly Subject[], comment: string) => {
    setVerdict(decision);
    const gates = chosen.map((one) => ({ gate_id: one.gateId, subject_hash: one.subjectHash }));
    act.mutate({ gates, decision, comment: comment.trim(), acting_for: chosen[0]?.actingFor ?? null });
  };
  return { act, send, verdict };
}

export function DecisionPanel({ ticket, onClose }: { ticket: Ticket; onClose: () => void }) {
  const { t } = useTranslation("tickets");
  const reasonText = useReasonText();
  const gates = decisionGates(ticket);
  const now = subjects(gates);
  const [shown, setShown] = useState<Subject[]>(now);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [comment, setComment] = useState("");
  const [missing, setMissing] = useState(false);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus(), []);
  useSeen(ticket, gates.filter(({ gate }) => gate.phase === "PRE").map(({ step }) => step));
  const { act, send, verdict } = useDecision(ticket, onClose);
  const stale = staleness(shown, now);
  const chosen = shown.filter((one) => !left.has(one.gateId));
  const picked = gates.filter(({ gate }) => !left.has(gate.id));
  const primary = primaryOf(ticket);
  const why =
    stale.kind === "gone" ? t("decide.gone")
    : primary && "kind" in primary && gates.every(({ gate }) => !gate.may_sign) ? (reasonText(primary.reason) ?? t("reason.mayNotSign"))
    : chosen.length === 0 ? t("decide.nothing")
    : null;
  const reject = () => {
    if (comment.trim() === "") setMissing(true);
    else send("reject", chosen.slice(0, 1), comment);
  };
  return (
    <section className="decision" aria-labelledby="decision-title" ref={panel} tabIndex={-1} data-testid="decision">
      <Flex justify="space-between" align="center">
        <h2 id="decision-title">{t("decide.title")}</h2>
        <Button type="text" icon={<CloseOutlined />} aria-label={t("decide.close")} onClick={onClose} />
      </Flex>
      {stale.kind === "gone" && <p role="status">{t("decide.gone")}</p>}
      <ul className="decision-gates">
        {gates.map((open) => {
          const subject = shown.find((one) => one.gateId === open.gate.id) ?? now.find((one) => one.gateId === open.gate.id)!;
          return (
            <GateItem
              key={open.gate.id}
              open={open}
              subject={subject}
              single={gates.length === 1}
              checked={!left.has(open.gate.id)}
              onCheck={(on) => setLeft(new Set(on ? [...left].filter((id) => id !== open.gate.id) : [...left, open.gate.id]))}
            />
          );
        })}
      </ul>
      <Changed ticket={ticket} shown={shown} now={now} />
      <Comment value={comment} missing={missing && comment.trim() === ""} onChange={setComment} />
      {act.isError && <ProblemAlert problem={asProblem(act.error)} />}
      <Flex gap={8} wrap>
        {stale.kind === "changed" ? (
          <Button type="primary" onClick={() => setShown(now)} data-testid="re-review">
            {t("decide.reReview", { count: stale.steps.length })}
          </Button>
        ) : (
          <ReasonButton
            type="primary"
            reason={why}
            loading={act.isPending && verdict === "approve"}
            onClick={() => send("approve", chosen, comment)}
            data-testid="approve"
          >
            {t(`decide.${gateKind(picked.length > 0 ? picked : gates)}`)}
          </ReasonButton>
        )}
        <ReasonButton
          danger
          reason={stale.kind === "changed" ? t("decide.reReviewFirst") : why}
          loading={act.isPending && verdict === "reject"}
          onClick={reject}
          data-testid="reject"
        >
          {t("decide.reject")}
        </ReasonButton>
      </Flex>
      {picked.length === 2 && <Tag className="decision-note">{t("decide.two")}</Tag>}
    </section>
  );
}
