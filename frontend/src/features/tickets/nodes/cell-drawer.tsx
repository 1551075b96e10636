/** One node in one step: its attempts, how each ended, the evidence, and the log. Props: `ticket`, `node`. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Drawer, Flex, Segmented, Select } from "antd";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { TimeText } from "../../../components/time-text";
import { Elapsed } from "../elapsed";
import { JsonView } from "../json-view";
import { LogView } from "../log-tab";
import { type CellResult, columnsOf, type MatrixNode } from "../matrix";
import { nodeQuery } from "../queries";
import { runsOf } from "../rail";
import { StateText } from "../state-text";
import { asError, type Step, type Ticket } from "../types";
import { useTicketSearch } from "../use-ticket";
import { Pending } from "../pending";

/** What was found and done there: by step and attempt, asked for only when somebody looks. */
function Evidence({ ticketId, nodeId, step, n }: { ticketId: string; nodeId: string; step: string; n: number }) {
  const node = useQuery(nodeQuery(ticketId, nodeId));
  const found = node.data?.results.find((one) => one.step === step && one.attempt_n === n);
  return <JsonView value={found?.evidence} />;
}

function Outcome({ result }: { result: CellResult }) {
  const { t, i18n } = useTranslation("tickets");
  const error = asError(result.error);
  const remedy = error ? pick(error.remedy, i18n.language) : "";
  return (
    <Flex vertical gap={4} className="cell-outcome">
      <Flex gap={12} align="center" wrap>
        <StateText kind="node" state={result.state} badge />
        <span className="mono">
          <Elapsed from={result.startedAt} to={result.endedAt} running={result.state === "RUNNING"} />
        </span>
        <span className="muted">
          <TimeText at={result.startedAt} exact />
        </span>
      </Flex>
      <bdi className="wrap">{error ? pick(error.cause, i18n.language) : result.summary}</bdi>
      {error && <code className="muted">{error.code}</code>}
      {remedy !== "" && <span className="cause-remedy">{t("failure.remedy", { remedy })}</span>}
    </Flex>
  );
}

function Attempts({ step, results, n, onChange }: { step: Step; results: readonly CellResult[]; n: number; onChange: (n: number) => void }) {
  const { t } = useTranslation("tickets");
  const ordinals = new Map(runsOf(step).map((run) => [run.n, run.ordinal]));
  if (results.length < 2) return null;
  return (
    <Segmented
      size="small"
      aria-label={t("cell.attempt")}
      value={n}
      onChange={onChange}
      options={results.map((one) => ({
        value: one.n,
        label: (
          <span>
            {t("cell.attemptN", { n: ordinals.get(one.n) ?? one.n })} <StateText kind="node" state={one.state} compact />
          </span>
        ),
      }))}
    />
  );
}

export function CellDrawer({ ticket, node }: { ticket: Ticket; node: MatrixNode }) {
  const { t, i18n } = useTranslation("tickets");
  const [search, change] = useTicketSearch();
  const steps = columnsOf(ticket.steps);
  const step = steps.find((one) => one.key === search.step) ?? steps.findLast((one) => node.results[one.key]) ?? steps[0];
  if (!step) return null;
  const results = node.results[step.key] ?? [];
  const result = results.find((one) => one.n === search.attempt) ?? results.at(-1);
  return (
    <Drawer
      open
      size={720}
      mask={{ closable: true }}
      title={
        <span>
          <bdi>{node.name}</bdi> <span className="mono muted">{node.address}</span>
        </span>
      }
      onClose={() => change({ node: undefined, attempt: undefined })}
      extra={
        <Link to="/tickets/$ticket" params={{ ticket: String(ticket.number) }} search={{ tab: "log", step: step.key, node: node.id, ...(result ? { attempt: result.n } : {}) }}>
          {t("cell.fullLog")}
        </Link>
      }
    >
      <Flex vertical gap={12} className="cell-drawer">
        <Flex gap={8} align="center" wrap>
          <Select
            size="small"
            className="cell-step"
            aria-label={t("cell.step")}
            value={step.key}
            onChange={(key) => change({ step: key, attempt: undefined })}
            options={steps.map((one) => ({ value: one.key, label: pick(one.title, i18n.language) }))}
          />
          {result && <Attempts step={step} results={results} n={result.n} onChange={(attempt) => change({ attempt })} />}
        </Flex>
        {node.excludedAt !== null && (
          <p className="muted">
            {t("cell.excluded", { reason: node.excludedReason ?? "" })} <TimeText at={node.excludedAt} />
          </p>
        )}
        {result ? <Outcome result={result} /> : <p className="muted">{t("cell.none")}</p>}
        {result && <Evidence ticketId={ticket.id} nodeId={node.id} step={step.key} n={result.n} />}
        {result && (
          <Suspense fallback={<Pending />}>
            <LogView key={`${step.key} ${result.n}`} ticketId={ticket.id} step={step.key} nodeId={node.id} attempt={result.n} />
          </Suspense>
        )}
      </Flex>
    </Drawer>
  );
}
