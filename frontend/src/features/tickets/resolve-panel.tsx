/** A runner was lost half-way: what is known, and a person's word on each node. Nothing is run again without it.
 * Props: `ticket`, `step`, `attempt` the unknown one. */
import { useQuery } from "@tanstack/react-query";
import { Alert, App, Button, Checkbox, Flex, Input, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { StateTag } from "../../components/state-tag";
import { TimeText } from "../../components/time-text";
import { UserName } from "../../components/user-name";
import { meQuery } from "../../lib/queries";
import { useReasonText } from "./cause-text";
import { JsonView } from "./json-view";
import { type MatrixNode, latest } from "./matrix";
import { matrixQuery, type ResolutionBody, sendResolution } from "./queries";
import { actionReason, verdictsComplete } from "./state";
import { lookOfState } from "./state-text";
import { type Attempt, isRecord, type Step, type Ticket, WHOLE } from "./types";
import { useTicketAction } from "./use-ticket";

type Probe = { suggests: string; summary: string; evidence: unknown };
type Unknown = { id: string; name: string; address: string; probe: Probe | null };

/** What the read-only look after the loss saw, by node. */
export function probesOf(step: Step, attempt: Attempt): Record<string, Probe> {
  const probe = step.attempts.findLast((one) => one.purpose === "PROBE" && one.n > attempt.n && one.outcome !== null);
  const seen = probe?.outcome?.["probe"];
  if (!isRecord(seen)) return {};
  return Object.fromEntries(
    Object.entries(seen)
      .filter((entry): entry is [string, Record<string, unknown>] => isRecord(entry[1]))
      .map(([node, one]) => [
        node,
        { suggests: String(one["suggests"]), summary: String(one["summary"] ?? ""), evidence: one["evidence"] },
      ]),
  );
}

export function unknownNodes(step: Step, attempt: Attempt, nodes: readonly MatrixNode[], whole: string): Unknown[] {
  const probes = probesOf(step, attempt);
  if (step.unit === "TICKET") return [{ id: WHOLE, name: whole, address: "", probe: probes[WHOLE] ?? null }];
  return nodes
    .filter((node) => latest(node, step.key)?.state === "UNKNOWN")
    .map((node) => ({ id: node.id, name: node.name, address: node.address, probe: probes[node.id] ?? null }));
}

/** How it is known that the runner is dead, as one line; null when it is not known. */
export function proofText(attempt: Attempt): string | null {
  const proof = attempt.death_proof;
  if (proof === null) return null;
  const { how, ...where } = proof;
  const about = Object.entries(where).map(([key, value]) => `${key} ${String(value)}`);
  return [String(how ?? ""), ...about].filter(Boolean).join(" · ");
}

function Evidence({ attempt }: { attempt: Attempt }) {
  const { t } = useTranslation("tickets");
  const proof = proofText(attempt);
  return (
    <dl className="facts">
      <div>
        <dt>{t("resolve.runner")}</dt>
        <dd className="mono">
          <bdi>{attempt.runner_id ?? "–"}</bdi>
        </dd>
      </div>
      <div>
        <dt>{t("resolve.began")}</dt>
        <dd>
          <TimeText at={attempt.started_at} />
        </dd>
      </div>
      <div>
        <dt>{t("resolve.death")}</dt>
        <dd>{proof === null ? <strong>{t("resolve.noProof")}</strong> : <bdi className="wrap">{proof}</bdi>}</dd>
      </div>
    </dl>
  );
}

function Verdict({ node, value, onChange }: { node: Unknown; value: boolean | undefined; onChange: (done: boolean) => void }) {
  const { t } = useTranslation("tickets");
  return (
    <li className="verdict" data-node={node.name}>
      <div className="verdict-node">
        <strong>
          <bdi>{node.name}</bdi>
        </strong>
        <span className="mono muted">{node.address}</span>
      </div>
      <div className="verdict-probe">
        {node.probe ? (
          <>
            <StateTag kind={lookOfState(node.probe.suggests)}>
              {t(node.probe.suggests === "SUCCEEDED" ? "resolve.suggestsDone" : "resolve.suggestsNotDone")}
            </StateTag>{" "}
            <bdi>{node.probe.summary}</bdi>
            <JsonView value={node.probe.evidence} />
          </>
        ) : (
          <span className="muted">{t("resolve.noProbe")}</span>
        )}
      </div>
      <Radio.Group
        aria-label={t("resolve.verdictOf", { name: node.name })}
        value={value ?? null}
        onChange={(event) => onChange(event.target.value === true)}
        options={[
          { value: true, label: t("resolve.done") },
          { value: false, label: t("resolve.notDone") },
        ]}
      />
    </li>
  );
}

/** Without proof that the runner is dead two people must take the responsibility, one after the other. */
function Override({ attempt, checked, onChange }: { attempt: Attempt; checked: boolean; onChange: (on: boolean) => void }) {
  const { t } = useTranslation("tickets");
  const first = attempt.override_by ?? null;
  return (
    <Alert
      type="warning"
      className="dense"
      showIcon
      title={first ? <>{t("resolve.second")} <UserName id={first} /></> : t("resolve.first")}
      description={
        <Checkbox checked={checked} onChange={(event) => onChange(event.target.checked)}>
          {t("resolve.override")}
        </Checkbox>
      }
    />
  );
}

type State = { verdicts: Record<string, boolean>; reason: string; override: boolean };

function blockedBecause(state: State, nodes: readonly Unknown[], attempt: Attempt, me: string | undefined): string | null {
  if (!verdictsComplete(nodes.map((node) => node.id), state.verdicts)) return "resolve.blocked.verdicts";
  if (state.reason.trim() === "") return "resolve.blocked.reason";
  if (attempt.death_proof !== null) return null;
  if (attempt.override_by && attempt.override_by === me) return "resolve.blocked.second";
  return state.override ? null : "resolve.blocked.override";
}

export function ResolvePanel({ ticket, step, attempt }: { ticket: Ticket; step: Step; attempt: Attempt }) {
  const { t, i18n } = useTranslation("tickets");
  const { message } = App.useApp();
  const reasonText = useReasonText();
  const { data: me } = useQuery(meQuery);
  const matrix = useQuery(matrixQuery(ticket.id));
  const [state, setState] = useState<State>({ verdicts: {}, reason: "", override: false });
  const nodes = unknownNodes(step, attempt, matrix.data ?? [], t("resolve.whole"));
  const act = useTicketAction<ResolutionBody>(
    ticket.id,
    (body) => sendResolution(ticket.id, attempt.id, body),
    () => void message.success(t("resolve.sent")),
  );
  const blocked = blockedBecause(state, nodes, attempt, me?.id);
  const reason = reasonText(actionReason(ticket, "resolve")) ?? (blocked === null ? null : t(blocked));
  const suggested = Object.fromEntries(nodes.flatMap(({ id, probe }) => (probe ? [[id, probe.suggests === "SUCCEEDED"]] : [])));
  return (
    <section id="resolve-panel" className="card resolve" tabIndex={-1} aria-labelledby="resolve-title">
      <h2 id="resolve-title">{t("resolve.title", { step: pick(step.title, i18n.language) })}</h2>
      <p>{t("resolve.about")}</p>
      <Evidence attempt={attempt} />
      {Object.keys(suggested).length > 0 && (
        <Button size="small" className="take-probe" onClick={() => setState({ ...state, verdicts: { ...state.verdicts, ...suggested } })}>
          {t("resolve.takeProbe")}
        </Button>
      )}
      <ul className="verdicts">
        {nodes.map((node) => (
          <Verdict
            key={node.id}
            node={node}
            value={state.verdicts[node.id]}
            onChange={(done) => setState({ ...state, verdicts: { ...state.verdicts, [node.id]: done } })}
          />
        ))}
      </ul>
      {attempt.death_proof === null && (
        <Override attempt={attempt} checked={state.override} onChange={(override) => setState({ ...state, override })} />
      )}
      <label className="action-reason">
        {t("resolve.reason")}
        <Input.TextArea
          rows={2}
          maxLength={4000}
          value={state.reason}
          onChange={(event) => setState({ ...state, reason: event.target.value })}
        />
      </label>
      {act.isError && <ProblemAlert problem={asProblem(act.error)} />}
      <Flex justify="end">
        <ReasonButton type="primary" reason={reason} loading={act.isPending} onClick={() => act.mutate({ ...state, reason: state.reason.trim() })}>
          {t(attempt.death_proof === null && !attempt.override_by ? "resolve.askSecond" : "resolve.send")}
        </ReasonButton>
      </Flex>
    </section>
  );
}
