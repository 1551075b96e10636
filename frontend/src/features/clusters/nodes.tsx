/** The nodes that serve a cluster now. Props: `id` of the cluster. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { NodeOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { Grid } from "../../components/grid/grid";
import { initialState } from "../../components/grid/layout";
import type { GridColumn } from "../../components/grid/types";
import { Labels, type Taint } from "../../components/labels";
import { TimeText } from "../../components/time-text";
import { nodesQuery } from "./queries";

function useColumns(): GridColumn<NodeOut>[] {
  const { t, i18n } = useTranslation("clusters");
  return useMemo(
    () => [
      {
        id: "hostname", title: t("node.hostname"), width: 200, pin: "left", always: true, sort: "hostname",
        render: (node) =>
          node.machine_id === null ? <strong>{node.hostname}</strong> : (
            <Link to={"/machines" as string} search={{ machine: node.machine_id } as never} tabIndex={-1}>
              {node.hostname}
            </Link>
          ),
      },
      { id: "address", title: t("node.address"), width: 140, sort: "address", render: (node) => <span className="mono">{node.address}</span> },
      { id: "roles", title: t("node.roles"), width: 190, render: (node) => node.roles.map((role) => t(`role.${role}`)).join(", ") },
      { id: "labels", title: t("node.labels"), width: 420, render: (node) => <Labels labels={node.labels} taints={node.taints as Taint[]} max={4} /> },
      { id: "config_number", title: t("node.config"), width: 110, align: "right", render: (node) => node.config_number },
      { id: "since", title: t("node.since"), width: 140, render: (node) => <TimeText at={node.since} /> },
    ],
    [t, i18n.language],
  );
}

export default function Nodes({ id }: { id: string }) {
  const { t } = useTranslation("clusters");
  const columns = useColumns();
  const [sort, setSort] = useState("hostname");
  const [state, setState] = useState(() => initialState(columns));
  const nodes = useInfiniteQuery(nodesQuery(id, sort));
  const rows = useMemo(() => nodes.data?.pages.flatMap((page) => page.items) ?? [], [nodes.data]);
  return (
    <Grid<NodeOut>
      label={t("tab.nodes")}
      columns={columns}
      rows={rows}
      rowId={(node) => node.id}
      state={state}
      onState={setState}
      sort={sort}
      onSort={(next) => setSort(next ?? "hostname")}
      loading={nodes.isLoading}
      loadingMore={nodes.isFetchingNextPage}
      onEnd={() => {
        if (nodes.hasNextPage && !nodes.isFetchingNextPage) void nodes.fetchNextPage();
      }}
      problem={nodes.error ? asProblem(nodes.error) : null}
      onRetry={() => void nodes.refetch()}
      empty={<EmptyState title={t("node.none")} />}
    />
  );
}
