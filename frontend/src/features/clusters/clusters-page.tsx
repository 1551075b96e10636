import { PlusOutlined } from "@ant-design/icons";
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Flex, Table, Tag } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ClusterOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { StateTag } from "../../components/state-tag";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { clustersQuery } from "./queries";

const ImportDialog = lazy(() => import("./import-dialog"));

export function Drift({ count, at }: { count: number; at: string | null }) {
  const { t } = useTranslation("clusters");
  if (at === null) return <StateTag kind="neutral">{t("drift.never")}</StateTag>;
  return (
    <>
      <StateTag kind={count === 0 ? "success" : "warning"}>{count === 0 ? t("drift.none") : t("drift.some", { count })}</StateTag>{" "}
      <span className="muted">
        <TimeText at={at} />
      </span>
    </>
  );
}

export function ClustersPage() {
  const { t } = useTranslation("clusters");
  const { data: me } = useSuspenseQuery(meQuery);
  const clusters = useQuery(clustersQuery);
  const [importing, setImporting] = useState(false);
  const reason = me.permissions["cluster:write"] === null ? null : t("import.notAllowed");
  const columns = [
    {
      title: t("name"),
      dataIndex: "name",
      render: (name: string, cluster: ClusterOut) => (
        <>
          <Link to={"/clusters/$cluster" as string} params={{ cluster: cluster.id } as never}>
            <strong>{name}</strong>
          </Link>
          {cluster.description && <div className="muted">{cluster.description}</div>}
        </>
      ),
    },
    { title: t("version"), dataIndex: "kubernetes_version" },
    { title: t("nodes"), dataIndex: "node_count", align: "right" as const },
    {
      title: t("network"),
      key: "network",
      render: (_: unknown, cluster: ClusterOut) => (
        <>
          {cluster.network_plugin} {cluster.flat_network && <Tag>{t("flat")}</Tag>}
        </>
      ),
    },
    {
      title: t("drift"),
      key: "drift",
      render: (_: unknown, cluster: ClusterOut) => <Drift count={cluster.drift.length} at={cluster.verified_at} />,
    },
    { title: t("created"), dataIndex: "created_at", render: (at: string) => <TimeText at={at} /> },
  ];
  return (
    <Flex vertical gap={16} className="page">
      <PageHeader
        title={t("title")}
        sub={t("about")}
        {...(may(me, "cluster:write")
          ? { primary: { label: t("import.open"), icon: <PlusOutlined />, reason, onClick: () => setImporting(true) } }
          : {})}
      />
      {clusters.error && <ProblemAlert problem={asProblem(clusters.error)} />}
      <Table<ClusterOut>
        rowKey="id"
        size="small"
        loading={clusters.isLoading}
        columns={columns}
        dataSource={clusters.data?.items ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <EmptyState title={t("none")} text={t("noneText")} /> }}
      />
      <Suspense fallback={null}>{importing && <ImportDialog onClose={() => setImporting(false)} />}</Suspense>
    </Flex>
  );
}
