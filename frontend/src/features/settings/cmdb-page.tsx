import { PlusOutlined, SyncOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { App, Flex, Table, Tag } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { RunOut, SourceOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { runsQuery, settingsKeys, sourcesQuery, startSync } from "./queries";
import { SettingsFrame } from "./settings-frame";
import { SourceDrawer } from "./source-drawer";

const COLORS: Record<string, string> = { ok: "green", failed: "red", running: "blue", queued: "default" };
const COUNTS = ["received", "created", "changed", "unchanged", "vanished", "refused", "conflicts"] as const;

function RunList({ source }: { source: SourceOut }) {
  const { t } = useTranslation("settings");
  const runs = useQuery(runsQuery(source.id));
  const columns = [
    { title: t("cmdb.queued"), dataIndex: "queued_at", render: (at: string) => <TimeText at={at} /> },
    {
      title: t("cmdb.outcome"),
      dataIndex: "outcome",
      render: (outcome: string) => <Tag color={COLORS[outcome] ?? "default"}>{t(`cmdb.outcomeName.${outcome}`)}</Tag>,
    },
    { title: t("cmdb.by"), dataIndex: "requested_by" },
    ...COUNTS.map((name) => ({ title: t(`cmdb.${name}`), dataIndex: name, align: "right" as const })),
  ];
  return (
    <Table<RunOut>
      rowKey="id"
      size="small"
      loading={runs.isLoading}
      columns={columns}
      dataSource={runs.data?.items ?? []}
      pagination={false}
      expandable={{
        columnTitle: t("details"),
        columnWidth: 70,
        rowExpandable: (run) => run.error !== null || run.refusals.length > 0,
        expandedRowRender: (run) => (
          <pre className="mono">{JSON.stringify(run.error ?? run.refusals, null, 2)}</pre>
        ),
      }}
      locale={{ emptyText: t("cmdb.noRun") }}
    />
  );
}

function useSync() {
  const { t } = useTranslation("settings");
  const { message } = App.useApp();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (source: SourceOut) => startSync(source.id, false),
    onSuccess: () => void message.success(t("cmdb.started")),
    onSettled: () => queryClient.invalidateQueries({ queryKey: settingsKeys.sources }),
  });
}

export function CmdbPage() {
  const { t } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  const sources = useQuery(sourcesQuery);
  const sync = useSync();
  const [editing, setEditing] = useState<string | "new" | null>(null);
  const configure = may(me, "settings:write") ? null : t("cmdb.readOnly");
  const failed = sources.error ?? sync.error;
  const columns = [
    {
      title: t("cmdb.name"),
      dataIndex: "name",
      render: (name: string, source: SourceOut) => (
        <>
          <strong>{name}</strong> {!source.enabled && <Tag>{t("cmdb.off")}</Tag>}
        </>
      ),
    },
    {
      title: t("cmdb.interval"),
      dataIndex: "interval_seconds",
      render: (seconds: number) =>
        seconds === 0 ? t("cmdb.onDemand") : t("cmdb.everyMinutes", { count: Math.round(seconds / 60) }),
    },
    { title: t("cmdb.lastOk"), dataIndex: "last_ok_at", render: (at: string | null) => <TimeText at={at} /> },
    {
      title: t("operations"),
      key: "operations",
      render: (_: unknown, source: SourceOut) => (
        <Flex gap={8}>
          <ReasonButton size="small" icon={<SyncOutlined />} reason={null} onClick={() => sync.mutate(source)}>
            {t("cmdb.sync")}
          </ReasonButton>
          <ReasonButton size="small" reason={configure} onClick={() => setEditing(source.id)}>
            {t("cmdb.configure")}
          </ReasonButton>
        </Flex>
      ),
    },
  ];
  return (
    <SettingsFrame
      name="cmdb"
      primary={{ label: t("cmdb.make"), icon: <PlusOutlined />, reason: configure, onClick: () => setEditing("new") }}
    >
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <Table<SourceOut>
        rowKey="id"
        size="small"
        loading={sources.isLoading}
        columns={columns}
        dataSource={sources.data?.items ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        expandable={{ columnTitle: t("runs"), columnWidth: 70, expandedRowRender: (source) => <RunList source={source} /> }}
        locale={{ emptyText: <EmptyState title={t("cmdb.none")} text={t("cmdb.noneText")} /> }}
      />
      <SourceDrawer editing={editing} onClose={() => setEditing(null)} />
    </SettingsFrame>
  );
}
