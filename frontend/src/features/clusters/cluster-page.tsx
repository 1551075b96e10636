import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Flex, Spin, Tabs, Tag } from "antd";
import { lazy, Suspense, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ClusterOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { may, meQuery } from "../../lib/queries";
import { Locks } from "./locks";
import { Overview } from "./overview";
import { clusterQuery, verify } from "./queries";
import { Revisions } from "./revisions";
import { type ClusterSearch, type Tab, TABS } from "./routes";
import "./clusters.css";

const Nodes = lazy(() => import("./nodes"));
const Topology = lazy(() => import("./topology-view"));
const route = getRouteApi("/shell/clusters/$cluster");

function VerifyButton({ cluster }: { cluster: ClusterOut }) {
  const { t } = useTranslation("clusters");
  const { data: me } = useSuspenseQuery(meQuery);
  const queryClient = useQueryClient();
  const look = useMutation({
    mutationFn: () => verify(cluster.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["clusters"] }),
  });
  return (
    <>
      <ReasonButton
        reason={may(me, "cluster:write", cluster.id) ? null : t("verify.notAllowed")}
        loading={look.isPending}
        onClick={() => look.mutate()}
      >
        {t("verify")}
      </ReasonButton>
      {look.error && <ProblemAlert problem={asProblem(look.error)} />}
    </>
  );
}

function useTab() {
  const { cluster: id } = route.useParams() as { cluster: string };
  const search = route.useSearch();
  const navigate = useNavigate();
  const change = (next: ClusterSearch) =>
    void navigate({ to: "/clusters/$cluster" as string, params: { cluster: id } as never, search: next as never, replace: true });
  return { id, search, change };
}

export function ClusterPage() {
  const { t } = useTranslation("clusters");
  const { id, search, change } = useTab();
  const { data: me } = useSuspenseQuery(meQuery);
  const cluster = useQuery(clusterQuery(id));
  const navigate = useNavigate();
  if (cluster.isLoading) return <Spin style={{ margin: 40 }} />;
  if (cluster.error || !cluster.data) return <ProblemAlert problem={asProblem(cluster.error)} />;
  const bodies: Record<Tab, () => ReactNode> = {
    overview: () => <Overview cluster={cluster.data} />,
    nodes: () => <Nodes id={id} />,
    topology: () => <Topology id={id} />,
    config: () => <Revisions id={id} kind="config" search={search} onSearch={(part) => change({ tab: "config", ...part })} />,
    rkestate: () => <Revisions id={id} kind="state" search={search} onSearch={(part) => change({ tab: "rkestate", ...part })} />,
    locks: () => <Locks clusterId={id} />,
  };
  const tabs = TABS.filter((tab) => may(me, "config:read", id) || (tab !== "config" && tab !== "rkestate"));
  return (
    <div className="page page-fill">
      <PageHeader
        title={cluster.data.name}
        sub={
          <Flex gap={6} wrap align="center">
            <Link to={"/clusters" as string}>{t("title")}</Link>
            <Tag>{cluster.data.kubernetes_version}</Tag>
            <Tag>{cluster.data.network_plugin}</Tag>
            {cluster.data.flat_network && <Tag>{t("flat")}</Tag>}
            <span>{cluster.data.description}</span>
          </Flex>
        }
        secondary={<VerifyButton cluster={cluster.data} />}
        {...(may(me, "ticket:create", id)
          ? {
              primary: {
                label: t("addWorkers"),
                onClick: () => void navigate({ to: "/add-workers" as string, search: { cluster: id } as never }),
              },
            }
          : {})}
      />
      <Tabs
        className="tabs-fill"
        activeKey={search.tab ?? "overview"}
        onChange={(tab) => change({ tab: tab as Tab })}
        destroyOnHidden
        items={tabs.map((tab) => ({
          key: tab,
          label: t(`tab.${tab}`),
          children: <Suspense fallback={<Spin />}>{bodies[tab]()}</Suspense>,
        }))}
      />
    </div>
  );
}
