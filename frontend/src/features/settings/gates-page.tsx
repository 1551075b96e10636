import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Select, Table } from "antd";
import { useTranslation } from "react-i18next";
import type { ClusterOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { may, meQuery } from "../../lib/queries";
import { changedPolicy, INHERIT, POLICIES, type Policy } from "./gates-state";
import { flowsQuery, policiesQuery, setPolicy } from "./queries";
import { SettingsFrame } from "./settings-frame";

type Change = { cluster: ClusterOut; flow: string; policy: Policy | typeof INHERIT };

function usePolicy() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ cluster, flow, policy }: Change) =>
      setPolicy(cluster.id, cluster.version, changedPolicy(cluster.gate_policy, flow, policy)),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["clusters"] }),
  });
}

function PolicyMeanings() {
  const { t } = useTranslation("settings");
  return (
    <dl className="card" style={{ margin: 0 }}>
      {POLICIES.map((policy) => (
        <div key={policy} style={{ display: "flex", gap: 12, padding: "2px 0" }}>
          <dt style={{ width: 90, fontWeight: 600 }}>{t(`gates.policy.${policy}`)}</dt>
          <dd style={{ margin: 0 }}>{t(`gates.meaning.${policy}`)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function GatesPage() {
  const { t, i18n } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  const clusters = useQuery(policiesQuery);
  const { data: flows } = useQuery(flowsQuery);
  const save = usePolicy();
  const failed = clusters.error ?? save.error;
  const choice = (cluster: ClusterOut, flow: string, name: string) => {
    const first = flow === "default" ? [] : [{ value: INHERIT, label: t("gates.inherit") }];
    return (
      <Select<Policy | typeof INHERIT>
        style={{ width: 170 }}
        disabled={!may(me, "cluster:write", cluster.id)}
        loading={save.isPending}
        aria-label={t("gates.label", { flow: name, cluster: cluster.name })}
        value={(cluster.gate_policy[flow] as Policy | undefined) ?? (flow === "default" ? "strict" : INHERIT)}
        options={[...first, ...POLICIES.map((policy) => ({ value: policy, label: t(`gates.policy.${policy}`) }))]}
        onChange={(policy) => save.mutate({ cluster, flow, policy })}
      />
    );
  };
  const columns = [
    { title: t("gates.cluster"), dataIndex: "name", render: (name: string) => <strong>{name}</strong> },
    {
      title: t("gates.default"),
      key: "default",
      render: (_: unknown, cluster: ClusterOut) => choice(cluster, "default", t("gates.default")),
    },
    ...(flows ?? []).map((flow) => {
      const title = pick(flow.title, i18n.language);
      return { title, key: flow.name, render: (_: unknown, cluster: ClusterOut) => choice(cluster, flow.name, title) };
    }),
  ];
  return (
    <SettingsFrame name="gates">
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <PolicyMeanings />
      <Table<ClusterOut>
        rowKey="id"
        size="small"
        loading={clusters.isLoading}
        columns={columns}
        dataSource={clusters.data?.items ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <EmptyState title={t("gates.none")} /> }}
      />
    </SettingsFrame>
  );
}
