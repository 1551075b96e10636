/** Node × check: what was found where, and what to do about it. */
import { useQuery } from "@tanstack/react-query";
import { Flex, Switch } from "antd";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../../api/problem";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { type CheckResult, type Level, levelCounts, type PlanParts, partsOf } from "../plan/plan-model";
import { nodesWithEvidenceQuery, plansQuery } from "../queries";
import { StateText } from "../state-text";
import type { TabProps } from "../ticket-tabs";
import type { Plan, Step, Ticket } from "../types";
import { useTicketSearch } from "../use-ticket";
import { type MatrixColumn, VirtualMatrix } from "../nodes/virtual-matrix";
import { type CheckColumn, type CheckRow, CLUSTER, findingsOf, gridOf, isRed, onlyRed } from "./check-grid";
import { Pending } from "../pending";

const LEVELS: Level[] = ["error", "warning", "unknown", "notrun", "ok"];

function Detail({ result, title }: { result: CheckResult; title: string }) {
  const { t, i18n } = useTranslation("tickets");
  const remedy = pick(result.remedy, i18n.language);
  return (
    <section className="check-detail" aria-live="polite" aria-label={t("checks.detail")}>
      <Flex gap={12} wrap align="center">
        <StateText kind="finding" state={result.level} badge />
        <strong>{title}</strong> <code className="muted">{result.check}</code>
        <bdi>{result.node === CLUSTER ? t("checks.cluster") : result.node}</bdi>
      </Flex>
      <bdi className="wrap">
        {result.level === "notrun" ? t("checks.notRun", { because: result.seen.en }) : pick(result.seen, i18n.language)}
      </bdi>
      {remedy !== "" && <div className="cause-remedy">{t("failure.remedy", { remedy })}</div>}
    </section>
  );
}

function useMatrixColumns(columns: readonly CheckColumn[]): MatrixColumn[] {
  const { i18n } = useTranslation();
  return useMemo(
    () =>
      columns.map((column) => {
        const label = column.title ? pick(column.title, i18n.language) : column.id;
        return {
          key: column.id,
          label,
          width: 112,
          head: (
            <span className="check-head" title={`${label} (${column.id})`}>
              {label}
              {column.bad > 0 && <b> {column.bad}</b>}
            </span>
          ),
        };
      }),
    [columns, i18n.language],
  );
}

/** What the cluster itself was asked: one line each, folded while all is well. */
function OfCluster({ results, titles }: { results: CheckResult[]; titles: Map<string, string> }) {
  const { t, i18n } = useTranslation("tickets");
  if (results.length === 0) return null;
  const red = results.filter((one) => isRed(one.level));
  return (
    <details className="cluster-checks" open={red.length > 0}>
      <summary>
        <strong>{t("checks.cluster")}</strong>
        {LEVELS.map((level) => ({ level, count: results.filter((one) => one.level === level).length }))
          .filter(({ count }) => count > 0)
          .map(({ level, count }) => (
            <StateText key={level} kind="finding" state={level} detail={<b>{count}</b>} />
          ))}
      </summary>
      <ul>
        {[...red, ...results.filter((one) => !isRed(one.level))].map((one) => (
          <li key={one.check}>
            <StateText kind="finding" state={one.level} compact={one.level === "ok"} /> {titles.get(one.check) ?? one.check}:{" "}
            <bdi>{pick(one.seen, i18n.language)}</bdi>
            {pick(one.remedy, i18n.language) !== "" && <div className="cause-remedy">{t("failure.remedy", { remedy: pick(one.remedy, i18n.language) })}</div>}
          </li>
        ))}
      </ul>
    </details>
  );
}

function GridView({ results, catalogue, red }: { results: CheckResult[]; catalogue: PlanParts["catalogue"]; red: boolean }) {
  const { t, i18n } = useTranslation("tickets");
  const [at, setAt] = useState<{ node: string; check: string } | null>(null);
  const whole = useMemo(() => gridOf(results, catalogue), [results, catalogue]);
  const grid = useMemo(() => (red ? onlyRed(whole) : whole), [whole, red]);
  const columns = useMatrixColumns(grid.columns);
  const cell = useCallback((row: CheckRow, check: string) => {
    const result = row.results[check];
    // A wall of the word "passed" would hide what did not pass.
    return result ? <StateText kind="finding" state={result.level} compact={result.level === "ok"} /> : <span className="muted">·</span>;
  }, []);
  const rowHead = useCallback(
    (row: CheckRow) => (
      <span className="node-head">
        <StateText kind="finding" state={row.worst} compact />
        <bdi className="ellipsis">{row.node === CLUSTER ? t("checks.cluster") : row.node}</bdi>
      </span>
    ),
    [t],
  );
  const result = at === null ? undefined : whole.rows.find((row) => row.node === at.node)?.results[at.check];
  const column = result && whole.columns.find((one) => one.id === result.check);
  const titles = new Map(catalogue.map(({ id, title }) => [id, pick(title, i18n.language)]));
  if (grid.rows.length === 0 && grid.cluster.length === 0) return <EmptyState title={t(red ? "checks.allGreen" : "checks.none")} />;
  return (
    <>
      <OfCluster results={grid.cluster} titles={titles} />
      <VirtualMatrix<CheckRow>
        label={t("checks.label")}
        rows={grid.rows}
        keyOf={(row) => row.node}
        nameOf={(row) => row.node}
        columns={columns}
        corner={<span>{t("checks.node", { count: grid.rows.length })}</span>}
        headWidth={200}
        headHeight={64}
        rowHead={rowHead}
        cell={cell}
        onOpen={(row, check) => {
          const worst = Object.values(row.results).find((one) => one.level === row.worst);
          setAt({ node: row.node, check: check ?? worst?.check ?? "" });
        }}
        empty={null}
      />
      {result && <Detail result={result} title={column?.title ? pick(column.title, i18n.language) : result.check} />}
    </>
  );
}

function Source({ step, plan, results, catalogue }: { step: Step; plan: Plan; results: CheckResult[]; catalogue: PlanParts["catalogue"] }) {
  const { t, i18n } = useTranslation("tickets");
  const [search, change] = useTicketSearch();
  const counts = levelCounts(results);
  const red = search.red === true;
  return (
    <Flex vertical gap={8} className="checks-tab">
      <Flex gap={16} wrap align="center">
        <span className="muted">{t("checks.source", { step: pick(step.title, i18n.language), round: plan.round })}</span>
        {LEVELS.filter((level) => counts[level] > 0).map((level) => (
          <StateText key={level} kind="finding" state={level} detail={<b>{counts[level]}</b>} />
        ))}
        <label className="switch-label">
          <Switch size="small" checked={red} onChange={(on) => change({ red: on || undefined })} /> {t("checks.onlyRed")}
        </label>
      </Flex>
      <GridView results={results} catalogue={catalogue} red={red} />
    </Flex>
  );
}

/** The validate step keeps its results with its nodes, not in its plan. */
function FromNodes({ ticket, step, plan, parts }: { ticket: Ticket; step: Step; plan: Plan; parts: PlanParts }) {
  const nodes = useQuery(nodesWithEvidenceQuery(ticket.id));
  const results = useMemo(() => findingsOf(nodes.data ?? [], step.key), [nodes.data, step.key]);
  if (nodes.error) return <ProblemAlert problem={asProblem(nodes.error)} />;
  if (!nodes.data) return <Pending />;
  return <Source step={step} plan={plan} results={results} catalogue={parts.catalogue} />;
}

/** Looks at one step after the other until one has checks. */
function FirstWithChecks({ ticket, steps }: { ticket: Ticket; steps: readonly Step[] }) {
  const { t } = useTranslation("tickets");
  const [step, ...others] = steps;
  const plans = useQuery({ ...plansQuery(ticket.id, step?.key ?? ""), enabled: step !== undefined });
  const plan = plans.data?.[0];
  const parts = useMemo(() => (plan ? partsOf(plan) : null), [plan]);
  if (!step) return <EmptyState title={t("checks.none")} text={t("checks.noneText")} />;
  if (plans.error) return <ProblemAlert problem={asProblem(plans.error)} />;
  if (plans.isPending) return <Pending />;
  if (plan && parts?.checks) return <Source step={step} plan={plan} results={parts.checks} catalogue={parts.catalogue} />;
  if (plan && parts && parts.catalogue.length > 0 && Object.keys(step.counts).length > 0) {
    return <FromNodes ticket={ticket} step={step} plan={plan} parts={parts} />;
  }
  return <FirstWithChecks key={others[0]?.key ?? ""} ticket={ticket} steps={others} />;
}

export function ChecksTab({ ticket, step: key }: TabProps) {
  const planned = ticket.steps.filter((step) => step.round > 0);
  const selected = planned.filter((step) => step.key === key);
  const others = planned.filter((step) => step.key !== key).reverse();
  return <FirstWithChecks key={key ?? ""} ticket={ticket} steps={[...selected, ...others]} />;
}

