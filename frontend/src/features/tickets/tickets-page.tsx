import { PlusOutlined } from "@ant-design/icons";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Button, Flex, Table, type TableProps } from "antd";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { ProgressBar } from "./progress-bar";
import { ticketsQuery } from "./queries";
import { filtersOf, type ListSearch } from "./search";
import { StateText } from "./state-text";
import { TicketFilters } from "./ticket-filters";
import { TicketLink } from "./ticket-link";
import type { Progress, TicketRow } from "./types";
import "./tickets.css";

const route = getRouteApi("/shell/tickets");
const DEFAULT_SORT = "-number";

type Sorter = TableProps<TicketRow>["onChange"];

function order(sort: string, key: string): "ascend" | "descend" | null {
  if (sort === key) return "ascend";
  return sort === `-${key}` ? "descend" : null;
}

function Where({ row }: { row: TicketRow }) {
  const { i18n } = useTranslation("tickets");
  return (
    <span className="list-step">
      {row.step_title && <span>{pick(row.step_title, i18n.language)}</span>}
      {row.waiting && (
        <span className="muted ellipsis" title={pick(row.waiting, i18n.language)}>
          {pick(row.waiting, i18n.language)}
        </span>
      )}
    </span>
  );
}

function What({ row }: { row: TicketRow }) {
  const { i18n } = useTranslation("tickets");
  return (
    <span className="list-step">
      <span>{pick(row.flow_title, i18n.language)}</span>
      <bdi className="muted ellipsis" title={row.summary}>
        {row.summary}
      </bdi>
    </span>
  );
}

const time = (at: string | null) => <TimeText at={at} />;

function columns(t: TFunction<"tickets">, sort: string): NonNullable<TableProps<TicketRow>["columns"]> {
  const sorted = (key: string) => ({ sorter: true, sortOrder: order(sort, key) });
  return [
    { title: t("list.number"), dataIndex: "number", width: 104, ...sorted("number"), render: (number: number) => <TicketLink number={number} /> },
    { title: t("list.flow"), key: "what", width: 172, render: (_, row) => <What row={row} /> },
    { title: t("list.cluster"), dataIndex: "cluster_name", width: 110, ellipsis: true, render: (name: string | null) => <bdi>{name ?? "–"}</bdi> },
    { title: t("list.targets"), dataIndex: "targets", width: 84, align: "right" },
    { title: t("list.state"), dataIndex: "state", width: 136, ...sorted("state"), render: (state: string) => <StateText kind="ticket" state={state} badge /> },
    { title: t("list.step"), key: "where", render: (_, row) => <Where row={row} /> },
    { title: t("list.progress"), dataIndex: "progress", width: 120, render: (progress: Progress) => <ProgressBar progress={progress} /> },
    {
      title: t("list.requester"),
      key: "requester",
      width: 124,
      ellipsis: true,
      render: (_, row) => <bdi>{row.requester_name ?? row.requester_id.slice(0, 8)}</bdi>,
    },
    { title: t("list.created"), dataIndex: "created_at", width: 112, ...sorted("created_at"), render: time },
    { title: t("list.ended"), dataIndex: "ended_at", width: 112, ...sorted("ended_at"), render: time },
  ];
}

function More({ loaded, total, more }: { loaded: number; total: number | null; more: ReturnType<typeof useTickets> }) {
  const { t } = useTranslation("tickets");
  return (
    <Flex justify="center" align="center" gap={12} className="list-more">
      <span className="muted" role="status">
        {total === null ? t("list.loaded", { count: loaded }) : t("list.loadedOf", { count: loaded, total })}
      </span>
      {more.hasNextPage && (
        <Button onClick={() => void more.fetchNextPage()} loading={more.isFetchingNextPage}>
          {t("list.more")}
        </Button>
      )}
    </Flex>
  );
}

function useTickets(search: ListSearch) {
  return useInfiniteQuery(ticketsQuery(filtersOf(search), search.sort ?? DEFAULT_SORT));
}

export function TicketsPage() {
  const { t } = useTranslation("tickets");
  const search = route.useSearch();
  const navigate = useNavigate();
  const found = useTickets(search);
  const { data: me } = useQuery(meQuery);
  const sort = search.sort ?? DEFAULT_SORT;
  const rows = found.data?.pages.flatMap((page) => page.items) ?? [];
  const change = (next: ListSearch) => void navigate({ to: "/tickets", search: next, replace: true });
  const onSort: Sorter = (_page, _filters, sorter) => {
    const one = Array.isArray(sorter) ? sorter[0] : sorter;
    const { sort: _before, ...rest } = search;
    const key = String(one?.field ?? "");
    change(one?.order ? { ...rest, sort: one.order === "descend" ? `-${key}` : key } : rest);
  };
  return (
    <Flex vertical gap={12} className="page">
      <PageHeader
        title={t("list.title")}
        primary={{
          label: t("list.new"),
          icon: <PlusOutlined />,
          reason: me && may(me, "ticket:create") ? null : t("list.mayNotCreate"),
          onClick: () => void navigate({ href: "/add-workers" }),
        }}
      />
      <TicketFilters search={search} onChange={change} />
      {found.error && <ProblemAlert problem={asProblem(found.error)} />}
      <Table<TicketRow>
        rowKey="id"
        size="small"
        className="ticket-list"
        loading={found.isLoading}
        columns={columns(t, sort)}
        dataSource={rows}
        pagination={false}
        onChange={onSort}
        scroll={{ x: 1180 }}
        locale={{ emptyText: <EmptyState title={t("list.none")} text={t("list.noneText")} /> }}
      />
      {rows.length > 0 && <More loaded={rows.length} total={found.data?.pages[0]?.total ?? null} more={found} />}
    </Flex>
  );
}
