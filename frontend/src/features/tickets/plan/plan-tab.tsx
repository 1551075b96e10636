/** What a step will do, exactly: the frozen plan that an approval binds to, and how it differs from earlier rounds. */
import { useQuery } from "@tanstack/react-query";
import { Alert, Flex, Select } from "antd";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../../api/problem";
import { CopyButton } from "../../../components/copy-button";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { TimeText } from "../../../components/time-text";
import { ChangeList } from "../decision/change-list";
import { plansQuery } from "../queries";
import { changedSinceSeen } from "../state";
import { StateText } from "../state-text";
import type { TabProps } from "../ticket-tabs";
import { asProblems, type Plan, type Step, type Ticket } from "../types";
import { useSeen } from "../use-seen";
import { useTicketSearch } from "../use-ticket";
import { driftOf, partsOf } from "./plan-model";
import { PlanParts } from "./plan-parts";
import { Pending } from "../pending";

function roundLabel(t: TFunction<"tickets">, plan: Plan): string {
  return plan.superseded_at === null ? t("plan.roundNow", { round: plan.round }) : t("plan.round", { round: plan.round });
}

function Rounds({ plans, plan }: { plans: Plan[]; plan: Plan }) {
  const { t } = useTranslation("tickets");
  const [search, change] = useTicketSearch();
  const others = plans.filter((one) => one.round !== plan.round);
  return (
    <Flex gap={8} align="center" wrap className="plan-head">
      <Select
        size="small"
        aria-label={t("plan.rounds")}
        value={plan.round}
        options={plans.map((one) => ({ value: one.round, label: roundLabel(t, one) }))}
        onChange={(round) => change({ round: round === plans[0]?.round ? undefined : round, against: undefined })}
      />
      {others.length > 0 && (
        <Select
          size="small"
          allowClear
          placeholder={t("plan.compare")}
          aria-label={t("plan.compare")}
          value={search.against ?? null}
          options={others.map((one) => ({ value: one.round, label: t("plan.compareWith", { round: one.round }) }))}
          onChange={(against) => change({ against: against ?? undefined })}
        />
      )}
      <span className="muted">
        {t("plan.made")} <TimeText at={plan.created_at} />
      </span>
      <span className="plan-hash">
        {t("plan.hash")} <code title={plan.plan_hash}>{plan.plan_hash.slice(0, 10)}</code>
        <CopyButton text={plan.plan_hash} label={t("plan.copyHash")} />
      </span>
    </Flex>
  );
}

function Drifted({ plan }: { plan: Plan }) {
  const { t } = useTranslation("tickets");
  const drift = driftOf(plan);
  if (drift.length === 0) return null;
  return (
    <Alert
      type="warning"
      showIcon
      title={t("plan.drifted", { count: drift.length })}
      description={
        <ul className="changes">
          {drift.map((one) => (
            <li key={one.key}>
              <bdi>{one.key}</bdi>: <del>{JSON.stringify(one.planned)}</del> → <ins>{JSON.stringify(one.now)}</ins>
            </li>
          ))}
        </ul>
      }
    />
  );
}

function Findings({ plan }: { plan: Plan }) {
  const { t, i18n } = useTranslation("tickets");
  const problems = asProblems(plan.problems);
  if (problems.length === 0) return null;
  return (
    <section>
      <h2>{t("plan.findings", { count: problems.length })}</h2>
      <ul className="findings">
        {problems.slice(0, 50).map((one, at) => (
          <li key={`${one.code} ${one.node ?? ""} ${at}`} data-blocking={one.blocking || undefined}>
            <StateText kind="finding" state={one.blocking ? "error" : "warning"} />
            <bdi>{pick(one.seen, i18n.language)}</bdi> <code className="muted">{one.code}</code>
            {pick(one.remedy, i18n.language) !== "" && <div className="cause-remedy">{t("failure.remedy", { remedy: pick(one.remedy, i18n.language) })}</div>}
          </li>
        ))}
      </ul>
      {problems.length > 50 && <span className="muted">{t("common:danger.more", { count: problems.length - 50 })}</span>}
    </section>
  );
}

function NoPlan({ step }: { step: Step }) {
  const { t, i18n } = useTranslation("tickets");
  if (step.state === "SKIPPED") {
    return <EmptyState title={t("plan.skipped")} text={step.skip_reason ? pick(step.skip_reason, i18n.language) : undefined} />;
  }
  return <EmptyState title={t(step.state === "PLANNING" ? "plan.making" : "plan.none")} text={pick(step.does, i18n.language)} />;
}

function Shown({ ticket, step, plans }: { ticket: Ticket; step: Step; plans: Plan[] }) {
  const { t, i18n } = useTranslation("tickets");
  const [search] = useTicketSearch();
  const plan = plans.find((one) => one.round === search.round) ?? plans[0]!;
  const against = plans.find((one) => one.round === search.against);
  const seen = useSeen(ticket, plan.superseded_at === null ? [step] : []);
  const changed = changedSinceSeen({ ...ticket, seen }).find((one) => one.step.key === step.key);
  return (
    <Flex vertical gap={12} className="plan" data-testid="plan">
      <Rounds plans={plans} plan={plan} />
      <p className="plan-does">{pick(step.does, i18n.language)}</p>
      <Drifted plan={plan} />
      {changed && plan === plans[0] && !against && (
        <ChangeList ticketId={ticket.id} step={step.key} before={changed.before} after={changed.after} title={t("plan.sinceSeen")} />
      )}
      {against && (
        <ChangeList
          ticketId={ticket.id}
          step={step.key}
          before={against.plan_hash}
          after={plan.plan_hash}
          title={t("plan.between", { before: against.round, after: plan.round })}
        />
      )}
      <Findings plan={plan} />
      <PlanParts parts={partsOf(plan)} effect={step.effect} params={ticket.params} />
    </Flex>
  );
}

export function PlanTab({ ticket, step: key }: TabProps) {
  const { t } = useTranslation("tickets");
  const step = ticket.steps.find((one) => one.key === key) ?? null;
  const plans = useQuery({ ...plansQuery(ticket.id, key ?? ""), enabled: step !== null && step.round > 0 });
  if (!step) return <EmptyState title={t("plan.none")} />;
  if (plans.error) return <ProblemAlert problem={asProblem(plans.error)} />;
  if (plans.isLoading) return <Pending />;
  return plans.data && plans.data.length > 0 ? <Shown ticket={ticket} step={step} plans={plans.data} /> : <NoPlan step={step} />;
}
