/** Revisions of cluster.yml or cluster.rkestate: who made which and why; any two compared; a download is on the record. */
import { DownloadOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Alert, Button, Flex, Spin, Table } from "antd";
import { useTranslation } from "react-i18next";
import type { ComparisonOut, RevisionOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { DiffView } from "../../components/diff-view";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { comparisonQuery, downloadUrl, revisionQuery, type RevisionKind, revisionsQuery } from "./queries";
import type { ClusterSearch } from "./routes";

type Pair = Pick<ClusterSearch, "before" | "after">;
type Props = { id: string; kind: RevisionKind; search: Pair; onSearch: (pair: Pair) => void };

function Meaning({ comparison }: { comparison: ComparisonOut }) {
  const { t, i18n } = useTranslation("clusters");
  const dangers = comparison.settings.filter((setting) => setting.danger !== null);
  return (
    <Flex vertical gap={6}>
      {dangers.map((setting) => (
        <Alert key={setting.path} type="warning" showIcon title={`${setting.path}: ${pick(setting.danger!, i18n.language)}`} />
      ))}
      <ul className="plain">
        {comparison.added_nodes.map((address) => (
          <li key={`+${address}`} className="mono">{t("revision.added", { address })}</li>
        ))}
        {comparison.removed_nodes.map((address) => (
          <li key={`-${address}`} className="mono">{t("revision.removed", { address })}</li>
        ))}
        {comparison.settings.map((setting) => (
          <li key={setting.path} className="mono">
            {setting.path}: {JSON.stringify(setting.before)} → {JSON.stringify(setting.after)}
          </li>
        ))}
      </ul>
    </Flex>
  );
}

function Compare({ id, kind, before, after }: { id: string; kind: RevisionKind; before: number; after: number }) {
  const { t } = useTranslation("clusters");
  const comparison = useQuery(comparisonQuery(id, kind, before, after));
  const left = useQuery(revisionQuery(id, kind, before));
  const right = useQuery(revisionQuery(id, kind, after));
  const error = comparison.error ?? left.error ?? right.error;
  if (error) return <ProblemAlert problem={asProblem(error)} />;
  if (!comparison.data || !left.data || !right.data) return <Spin />;
  return (
    <Flex vertical gap={12}>
      <Meaning comparison={comparison.data} />
      <DiffView
        before={left.data.text}
        after={right.data.text}
        language={kind === "config" ? "yaml" : "text"}
        beforeLabel={t("revision.n", { number: before })}
        afterLabel={t("revision.n", { number: after })}
      />
    </Flex>
  );
}

/** The newest against the one before, until somebody chooses others. */
function pairOf(search: Pair, revisions: RevisionOut[]): { before: number; after: number } | null {
  const after = search.after ?? revisions[0]?.number;
  const before = search.before ?? revisions.find((one) => after !== undefined && one.number < after)?.number;
  return before === undefined || after === undefined ? null : { before, after };
}

export function Revisions({ id, kind, search, onSearch }: Props) {
  const { t } = useTranslation("clusters");
  const revisions = useQuery(revisionsQuery(id, kind));
  const items = revisions.data?.items ?? [];
  const pair = pairOf(search, items);
  const side = (name: "before" | "after") => ({
    title: t(`revision.${name}`),
    key: name,
    width: 80,
    render: (_: unknown, one: RevisionOut) => (
      <input
        type="radio"
        name={name}
        checked={pair?.[name] === one.number}
        aria-label={t(`revision.${name}Label`, { number: one.number })}
        onChange={() => onSearch({ ...pair, [name]: one.number })}
      />
    ),
  });
  return (
    <Flex vertical gap={12}>
      {revisions.error && <ProblemAlert problem={asProblem(revisions.error)} />}
      <Table<RevisionOut>
        rowKey="number"
        size="small"
        loading={revisions.isLoading}
        pagination={items.length > 8 ? { pageSize: 8, showSizeChanger: false, size: "small" } : false}
        dataSource={items}
        columns={[
          side("before"),
          side("after"),
          { title: t("revision.number"), dataIndex: "number" },
          { title: t("revision.reason"), dataIndex: "reason" },
          { title: t("revision.by"), dataIndex: "created_by" },
          { title: t("revision.at"), dataIndex: "created_at", render: (at: string) => <TimeText at={at} /> },
          { title: t("revision.size"), dataIndex: "size", align: "right" },
          {
            title: t("revision.file"),
            key: "file",
            render: (_, one) => (
              <Button
                size="small"
                icon={<DownloadOutlined />}
                href={downloadUrl(id, kind, one.number)}
                aria-label={t("revision.download", { number: one.number })}
              />
            ),
          },
        ]}
        locale={{ emptyText: <EmptyState title={t("revision.none")} /> }}
      />
      {pair && pair.before !== pair.after && <Compare key={`${pair.before} ${pair.after}`} id={id} kind={kind} {...pair} />}
    </Flex>
  );
}
