/** One decision and one comment for several tickets, and what became of each. Props: `rows`; `verdict`; `onClose(done)`
 * with the ids that were decided. */
import { useQueryClient } from "@tanstack/react-query";
import { Button, Flex, Input, Modal } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { type Ref, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { StateTag } from "../../components/state-tag";
import { UserName } from "../../components/user-name";
import { type Outcome, sendDecisions } from "./queries";
import { type Row, signable, type Verdict } from "./state";

type Props = { rows: readonly Row[]; verdict: Verdict; onClose: (done: string[]) => void };

function Became({ outcome, running }: { outcome: Outcome | undefined; running: boolean }) {
  const { t, i18n } = useTranslation("inbox");
  if (outcome === undefined) return running ? <StateTag kind="running">{t("decide.running")}</StateTag> : null;
  if (outcome === null) return <StateTag kind="success">{t("decide.done")}</StateTag>;
  return (
    <span className="inbox-refusal">
      <StateTag kind="failed">{pick(outcome.cause, i18n.language)}</StateTag>
      <span className="muted">{pick(outcome.remedy, i18n.language)}</span>
    </span>
  );
}

function Item({ row, outcome, running }: { row: Row; outcome: Outcome | undefined; running: boolean }) {
  const { t, i18n } = useTranslation("inbox");
  const gates = signable(row);
  const instead = gates[0]?.acting_for ?? null;
  return (
    <li className="inbox-subject" data-outcome={outcome === undefined ? undefined : outcome === null ? "done" : "refused"}>
      <span>
        <span className="mono">{`#${row.ticket.number}`}</span> <bdi>{row.ticket.summary}</bdi>
      </span>
      <span className="muted">
        {gates.map((gate) => `${pick(gate.title, i18n.language)} · ${t(`phase.${gate.phase}`)}`).join(t("decide.and"))}
        {instead !== null && (
          <>
            {t("decide.instead")} <UserName id={instead} />
          </>
        )}
      </span>
      <Became outcome={outcome} running={running} />
    </li>
  );
}

function useDecisions({ rows, verdict }: Props) {
  const queryClient = useQueryClient();
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [state, setState] = useState<"asked" | "running" | "over">("asked");
  const send = async (comment: string) => {
    setState("running");
    await sendDecisions(rows, verdict, comment, (found) => setOutcomes((known) => new Map([...known, ...found])));
    setState("over");
    void queryClient.invalidateQueries({ queryKey: ["inbox"] });
    void queryClient.invalidateQueries({ queryKey: ["tickets"] });
  };
  const done = [...outcomes].filter(([, outcome]) => outcome === null).map(([id]) => id);
  return { outcomes, state, send, done };
}

function Comment({ field, value, missing, onChange }: { field: Ref<TextAreaRef>; value: string; missing: boolean; onChange: (value: string) => void }) {
  const { t } = useTranslation("inbox");
  return (
    <div>
      <label className="inbox-comment">
        {t("decide.comment")}
        <Input.TextArea
          rows={3}
          ref={field}
          maxLength={4000}
          value={value}
          status={missing ? "error" : ""}
          onChange={(event) => onChange(event.target.value)}
          data-testid="inbox-comment"
        />
      </label>
      {missing && (
        <small className="error-text" role="alert">
          {t("decide.reasonMissing")}
        </small>
      )}
    </div>
  );
}

export function DecisionDialog(props: Props) {
  const { t } = useTranslation("inbox");
  const { rows, verdict } = props;
  const [comment, setComment] = useState("");
  const [missing, setMissing] = useState(false);
  const field = useRef<TextAreaRef>(null);
  const { outcomes, state, send, done } = useDecisions(props);
  const decideNow = () => {
    if (verdict === "reject" && comment.trim() === "") setMissing(true);
    else void send(comment);
  };
  return (
    <Modal
      open
      title={t(`decide.title.${verdict}`, { count: rows.length })}
      width={640}
      mask={{ closable: false }}
      afterOpenChange={(open) => open && field.current?.focus()}
      closable={state !== "running"}
      onCancel={() => props.onClose(done)}
      footer={
        <Flex gap={8} justify="end">
          {state !== "over" && (
            <>
              <Button disabled={state === "running"} onClick={() => props.onClose(done)}>
                {t("common:action.cancel")}
              </Button>
              <Button type="primary" danger={verdict === "reject"} loading={state === "running"} onClick={decideNow} data-testid="inbox-decide">
                {t(`decide.${verdict}`, { count: rows.length })}
              </Button>
            </>
          )}
          {state === "over" && (
            <Button type="primary" autoFocus onClick={() => props.onClose(done)}>
              {t("common:action.done")}
            </Button>
          )}
        </Flex>
      }
    >
      <Flex vertical gap={12}>
        <ul className="inbox-subjects" tabIndex={0} aria-label={t("decide.subjects")}>
          {rows.map((row) => (
            <Item key={row.ticket.id} row={row} outcome={outcomes.get(row.ticket.id)} running={state === "running"} />
          ))}
        </ul>
        <div role="status">{state === "over" && t("decide.over", { done: done.length, refused: rows.length - done.length })}</div>
        {state === "asked" && (
          <Comment field={field} value={comment} missing={missing && comment.trim() === ""} onChange={setComment} />
        )}
      </Flex>
    </Modal>
  );
}
