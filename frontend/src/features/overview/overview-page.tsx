import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Flex, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { OverviewOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { StateTag } from "../../components/state-tag";
import { TimeText } from "../../components/time-text";
import { ApprovalChart, FailureChart, FleetChart } from "./charts";
import { outcomes, spanOf } from "./figures";
import { overviewQuery } from "./queries";
import "./overview.css";

function Card({ id, title, wide, children }: { id: string; title: string; wide?: boolean; children: ReactNode }) {
  return (
    <section className={wide ? "card wide" : "card"} aria-labelledby={`overview-${id}`}>
      <h2 id={`overview-${id}`}>{title}</h2>
      {children}
    </section>
  );
}

function Number({ value, label }: { value: ReactNode; label: string }) {
  return (
    <div className="number">
      <dd>{value}</dd>
      <dt className="muted">{label}</dt>
    </div>
  );
}

function Today({ tickets }: { tickets: OverviewOut["tickets"] }) {
  const { t } = useTranslation("overview");
  return (
    <>
      <dl className="numbers">
        <Number value={tickets.opened} label={t("tickets.opened")} />
        {outcomes(tickets.ended).map(([state, count]) => (
          <Number key={state} value={count} label={t(`ticket.${state}`)} />
        ))}
      </dl>
      <h3>{t("tickets.now")}</h3>
      <dl className="numbers">
        {Object.entries(tickets.open_now).map(([state, count]) => (
          <Number key={state} value={count} label={t(`ticket.${state}`)} />
        ))}
      </dl>
    </>
  );
}

function Span({ seconds }: { seconds: number | null }) {
  const { t } = useTranslation("overview");
  if (seconds === null) return <>–</>;
  const { value, unit } = spanOf(seconds);
  return <>{t(`unit.${unit}`, { value })}</>;
}

function Approvals({ approvals }: { approvals: OverviewOut["approvals"] }) {
  const { t } = useTranslation("overview");
  return (
    <>
      <dl className="numbers">
        <Number value={approvals.open_now} label={t("approvals.open")} />
        <Number value={<Span seconds={approvals.median_seconds} />} label={t("approvals.median")} />
        <Number value={<Span seconds={approvals.p90_seconds} />} label={t("approvals.p90")} />
      </dl>
      {approvals.oldest_open_at && (
        <p>
          {t("approvals.oldest")} <TimeText at={approvals.oldest_open_at} /> · <Link to={"/inbox" as string}>{t("approvals.inbox")}</Link>
        </p>
      )}
      <ApprovalChart days={approvals.days} />
    </>
  );
}

function Failures({ failures }: { failures: OverviewOut["failures"] }) {
  const { t, i18n } = useTranslation("overview");
  if (failures.total === 0) return <EmptyState title={t("failures.none")} />;
  return (
    <>
      <FailureChart steps={failures.by_step} />
      <h3 id="failure-causes">{t("failures.causes")}</h3>
      <ol className="causes" tabIndex={0} aria-labelledby="failure-causes">
        {failures.by_cause.map((cause) => (
          <li key={cause.code}>
            <strong>{cause.count}×</strong> {cause.example ? pick(cause.example, i18n.language) : cause.code}
          </li>
        ))}
      </ol>
    </>
  );
}

function Sources({ sources }: { sources: OverviewOut["cmdb"] }) {
  const { t } = useTranslation("overview");
  if (sources.length === 0) return <EmptyState title={t("cmdb.none")} />;
  return (
    <ul className="plain">
      {sources.map((source) => (
        <li key={source.id}>
          <StateTag kind={source.last_outcome === "failed" ? "failed" : source.overdue ? "warning" : "success"}>{source.name}</StateTag>{" "}
          <TimeText at={source.last_ok_at} /> · {t("cmdb.figures", { machines: source.machines, conflicts: source.conflicts, vanished: source.vanished })}
        </li>
      ))}
    </ul>
  );
}

function Clusters({ data }: { data: OverviewOut }) {
  const { t } = useTranslation("overview");
  const most = Math.max(1, ...data.clusters.map((cluster) => cluster.nodes));
  if (data.clusters.length === 0) {
    return <EmptyState title={t("clusters.none")} action={<Link to={"/clusters" as string}>{t("clusters.page")}</Link>} />;
  }
  return (
    <>
      <ul className="plain bars">
        {data.clusters.map((cluster) => (
          <li key={cluster.id}>
            <Link to={"/clusters/$cluster" as string} params={{ cluster: cluster.id } as never}>
              {cluster.name}
            </Link>
            <span className="bar" style={{ inlineSize: `${(100 * cluster.nodes) / most}%` }} aria-hidden="true" />
            <span>{t("clusters.nodes", { count: cluster.nodes })}</span>
          </li>
        ))}
      </ul>
      <h3>{t("versions")}</h3>
      <ul className="plain">
        {data.versions.map((version) => (
          <li key={version.kubernetes_version}>
            <strong>{version.kubernetes_version}</strong> {t("versions.figures", { clusters: version.clusters, nodes: version.nodes })}
          </li>
        ))}
      </ul>
    </>
  );
}

export function OverviewPage() {
  const { t } = useTranslation("overview");
  const overview = useQuery(overviewQuery);
  if (overview.isLoading) return <Spin style={{ margin: 40 }} />;
  if (overview.error || !overview.data) return <ProblemAlert problem={asProblem(overview.error)} />;
  const { data } = overview;
  return (
    <Flex vertical gap={16} className="page">
      <PageHeader title={t("title")} sub={t("about")} />
      <div className="overview">
        <Card id="fleet" title={t("fleet")} wide>
          <FleetChart machines={data.machines} />
        </Card>
        <Card id="tickets" title={t("tickets")}>
          <Today tickets={data.tickets} />
        </Card>
        <Card id="approvals" title={t("approvals")}>
          <Approvals approvals={data.approvals} />
        </Card>
        <Card id="failures" title={t("failures")}>
          <Failures failures={data.failures} />
        </Card>
        <Card id="clusters" title={t("clusters")}>
          <Clusters data={data} />
        </Card>
        <Card id="cmdb" title={t("cmdb")}>
          <Sources sources={data.cmdb} />
        </Card>
      </div>
    </Flex>
  );
}
