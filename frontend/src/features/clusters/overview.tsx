/** A cluster at a glance: nodes by role and health, its revisions, what differs from the records, locks and open tickets. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Flex, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ClusterOut, RevisionBrief, TicketBrief } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { Drift } from "./clusters-page";
import { overviewQuery } from "./queries";

function Card({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section className="card" aria-labelledby={`glance-${id}`}>
      <h2 id={`glance-${id}`}>{title}</h2>
      {children}
    </section>
  );
}

function Counts({ counts, label }: { counts: Record<string, number>; label: (name: string) => string }) {
  return (
    <dl className="counts">
      {Object.entries(counts).map(([name, count]) => (
        <div key={name}>
          <dd>{count}</dd>
          <dt className="muted">{label(name)}</dt>
        </div>
      ))}
    </dl>
  );
}

function Revision({ title, revision }: { title: string; revision: RevisionBrief | null }) {
  const { t } = useTranslation("clusters");
  return (
    <div>
      <strong>{title}</strong>{" "}
      {revision === null ? "–" : (
        <>
          {t("revision.n", { number: revision.number })} · {revision.reason} · <TimeText at={revision.created_at} />
        </>
      )}
    </div>
  );
}

function OpenTickets({ tickets, total }: { tickets: TicketBrief[]; total: number }) {
  const { t, i18n } = useTranslation("clusters");
  if (tickets.length === 0) return <span className="muted">{t("glance.noTickets")}</span>;
  return (
    <ul className="plain">
      {tickets.map((ticket) => (
        <li key={ticket.id}>
          <Link to={"/tickets/$ticket" as string} params={{ ticket: String(ticket.number) } as never}>
            #{ticket.number}
          </Link>{" "}
          {pick(ticket.flow_title, i18n.language)} · {t(`ticket.${ticket.state}`)} ·{" "}
          <span className="muted">{ticket.requester_name}</span>
        </li>
      ))}
      {total > tickets.length && <li className="muted">{t("glance.moreTickets", { count: total - tickets.length })}</li>}
    </ul>
  );
}

function Differences({ cluster }: { cluster: ClusterOut }) {
  const { t } = useTranslation("clusters");
  return (
    <>
      <Drift count={cluster.drift.length} at={cluster.verified_at} />
      <ul className="plain drift" tabIndex={0} aria-label={t("drift")}>
        {cluster.drift.slice(0, 50).map((one, index) => (
          <li key={index} className="mono">
            {JSON.stringify(one)}
          </li>
        ))}
      </ul>
    </>
  );
}

export function Overview({ cluster }: { cluster: ClusterOut }) {
  const { t } = useTranslation("clusters");
  const glance = useQuery(overviewQuery(cluster.id));
  if (glance.isLoading) return <Spin />;
  if (glance.error || !glance.data) return <ProblemAlert problem={asProblem(glance.error)} />;
  const { data } = glance;
  return (
    <div className="glance">
      <Card id="nodes" title={t("glance.nodes", { count: data.nodes })}>
        <Counts counts={data.roles} label={(role) => t(`role.${role}`)} />
        {data.health ? (
          <Counts counts={data.health} label={(health) => t(`health.${health}`)} />
        ) : (
          <p className="muted">{t("glance.noLook")}</p>
        )}
      </Card>
      <Card id="drift" title={t("drift")}>
        <Differences cluster={cluster} />
      </Card>
      <Card id="revisions" title={t("glance.revisions")}>
        <Flex vertical gap={6}>
          <Revision title={t("import.cluster_yml")} revision={data.config} />
          <Revision title={t("import.rkestate")} revision={data.rkestate} />
        </Flex>
      </Card>
      <Card id="tickets" title={t("glance.tickets", { count: data.open_tickets_total })}>
        <OpenTickets tickets={data.open_tickets} total={data.open_tickets_total} />
      </Card>
      <Card id="api" title={t("glance.api")}>
        <div className="mono">
          {cluster.api_url} <CopyButton text={cluster.api_url} label={t("glance.copyApi")} />
        </div>
        <div className="muted mono ellipsis" title={cluster.ca_fingerprint}>
          {t("glance.ca")} {cluster.ca_fingerprint}
        </div>
      </Card>
    </div>
  );
}
