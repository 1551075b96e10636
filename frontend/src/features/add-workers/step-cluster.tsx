import { useQuery } from "@tanstack/react-query";
import { Flex, Spin, Tag } from "antd";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import type { ClusterOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import type { Draft } from "./draft";
import { clustersQuery } from "./queries";

function ClusterCard({ cluster, chosen, onChoose }: { cluster: ClusterOut; chosen: boolean; onChoose: () => void }) {
  const { t } = useTranslation("add-workers");
  const reason = useId();
  const refused = cluster.flat_network;
  return (
    <label className="cluster-card">
      <input
        type="radio"
        name="cluster"
        checked={chosen}
        disabled={refused}
        aria-describedby={refused ? reason : undefined}
        onChange={onChoose}
        value={cluster.id}
      />
      <span>
        <strong>{cluster.name}</strong>
        <Flex gap={4} wrap style={{ margin: "4px 0" }}>
          <Tag>{cluster.kubernetes_version}</Tag>
          <Tag>{t("cluster.nodes", { count: cluster.node_count })}</Tag>
          <Tag>{cluster.network_plugin}</Tag>
          {cluster.flat_network && <Tag>{t("cluster.flat")}</Tag>}
        </Flex>
        <span className="muted">
          {t("cluster.policy", { policy: t(`policy.${cluster.gate_policy["add_workers"] ?? cluster.gate_policy["default"] ?? "strict"}`) })}
        </span>
        {refused && <div id={reason} className="muted">{t("cluster.flatRefused")}</div>}
      </span>
    </label>
  );
}

export function ClusterStep({ draft, onChange }: { draft: Draft; onChange: (draft: Draft) => void }) {
  const { t } = useTranslation("add-workers");
  const clusters = useQuery(clustersQuery);
  if (clusters.isLoading) return <Spin />;
  if (clusters.error) return <ProblemAlert problem={asProblem(clusters.error)} />;
  const shown = (clusters.data?.items ?? []).filter((cluster) => cluster.state === "active");
  if (shown.length === 0) return <EmptyState title={t("cluster.none")} />;
  return (
    <fieldset className="cluster-cards">
      <legend className="visually-hidden">{t("step.cluster")}</legend>
      {shown.map((cluster) => (
        <ClusterCard
          key={cluster.id}
          cluster={cluster}
          chosen={draft.cluster_id === cluster.id}
          onChoose={() => onChange({ ...draft, cluster_id: cluster.id })}
        />
      ))}
    </fieldset>
  );
}
