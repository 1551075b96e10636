import { useInfiniteQuery } from "@tanstack/react-query";
import { Button, Flex, Input, Table } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AuditOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { auditQuery } from "./queries";
import { SettingsFrame } from "./settings-frame";

const COLUMNS = ["actor_name", "action", "object_type", "object_id"] as const;
type Wanted = Partial<Record<(typeof COLUMNS)[number], string>>;

function Filters({ onChange }: { onChange: (wanted: Wanted) => void }) {
  const { t } = useTranslation("settings");
  const [wanted, setWanted] = useState<Wanted>({});
  return (
    <Flex gap={8} wrap role="search" aria-label={t("audit.filters")}>
      {COLUMNS.map((name) => (
        <Input.Search
          key={name}
          allowClear
          style={{ width: 210 }}
          aria-label={t(`audit.${name}`)}
          placeholder={t(`audit.${name}`)}
          value={wanted[name] ?? ""}
          onChange={(event) => setWanted({ ...wanted, [name]: event.target.value })}
          onSearch={(value) => onChange({ ...wanted, [name]: value })}
        />
      ))}
    </Flex>
  );
}

export function AuditPage() {
  const { t } = useTranslation("settings");
  const [wanted, setWanted] = useState<Wanted>({});
  const filter = COLUMNS.filter((name) => wanted[name]).map((name) => `${name}:contains:${wanted[name]}`);
  const entries = useInfiniteQuery(auditQuery(filter));
  const columns = [
    { title: t("audit.at"), dataIndex: "at", render: (at: string) => <TimeText at={at} /> },
    {
      title: t("audit.actor_name"),
      dataIndex: "actor_name",
      render: (name: string, entry: AuditOut) => (
        <>
          {name} <span className="muted">{entry.method}</span>
        </>
      ),
    },
    { title: t("audit.action"), dataIndex: "action", render: (action: string) => <span className="mono">{action}</span> },
    { title: t("audit.object_type"), dataIndex: "object_type" },
    { title: t("audit.object_id"), dataIndex: "object_id", render: (id: string) => <span className="mono">{id}</span> },
    { title: t("audit.ip"), dataIndex: "ip", render: (ip: string | null) => ip ?? "–" },
  ];
  return (
    <SettingsFrame name="audit">
      {entries.error && <ProblemAlert problem={asProblem(entries.error)} />}
      <Filters onChange={setWanted} />
      <Table<AuditOut>
        rowKey="id"
        size="small"
        loading={entries.isLoading}
        columns={columns}
        dataSource={entries.data?.pages.flatMap((page) => page.items) ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        expandable={{
          columnTitle: t("details"),
          columnWidth: 70,
          expandRowByClick: true,
          rowExpandable: (entry) => Object.keys(entry.detail).length > 0,
          expandedRowRender: (entry) => <pre className="mono">{JSON.stringify(entry.detail, null, 2)}</pre>,
        }}
        locale={{ emptyText: <EmptyState title={t("audit.none")} /> }}
      />
      {entries.hasNextPage && (
        <Button loading={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </SettingsFrame>
  );
}
