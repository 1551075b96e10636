import { PlusOutlined } from "@ant-design/icons";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Button, Flex, Table, type TableProps } from "antd";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import type { TicketOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { UserName } from "../../components/user-name";
import { useFlowTitle } from "./flow-title";
import { ticketsQuery } from "./queries";
import { filtersOf, type ListSearch } from "./search";
import { StateText } from "./state-text";
import { TicketFilters } from "./ticket-filters";
import { TicketLink } from "./ticket-link";
import "./tickets.css";

const route = getRouteApi("/shell/tickets");
const DEFAULT_SORT = "-number";

type Sorter = TableProps<TicketOut>["onChange"];

function order(sort: string, key: string): "ascend" | "descend" | null {
  if (sort === key) return "ascend";
  return sort === `-${key}` ? "descend" : null;
}

function columns(t: TFunction<"tickets">, sort: string, title: (flow: string) => string): TableProps<TicketOut>["columns"] {
  return [
    {
      title: t("list.number"),
      dataIndex: "number",
      width: 90,
      sorter: true,
      sortOrder: order(sort, "number"),
      render: (number: number) => <TicketLink number={number} />,
    },
    { title: t("list.flow"), dataIndex: "flow_name", width: 170, render: title },
    {
      title: t("list.summary"),
      dataIndex: "summary",
      ellipsis: true,
      render: (summary: string) => <bdi>{summary}</bdi>,
    },
    {
      title: t("list.state"),
      dataIndex: "state",
      width: 190,
      sorter: true,
      sortOrder: order(sort, "state"),
      render: (state: string) => <StateText kind="ticket" state={state} badge />,
    },
    { title: t("list.policy"), dataIndex: "policy", width: 90, render: (policy: string) => t(`policy.${policy}`) },
    { title: t("list.requester"), dataIndex: "requester_id", width: 160, render: (id: string) => <UserName id={id} /> },
    {
      title: t("list.created"),
      dataIndex: "created_at",
      width: 130,
      sorter: true,
      sortOrder: order(sort, "created_at"),
      render: (at: string) => <TimeText at={at} />,
    },
    {
      title: t("list.ended"),
      dataIndex: "ended_at",
      width: 130,
      sorter: true,
      sortOrder: order(sort, "ended_at"),
      render: (at: string | null) => <TimeText at={at} />,
    },
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
  const title = useFlowTitle();
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
        primary={{ label: t("list.new"), icon: <PlusOutlined />, onClick: () => void navigate({ href: "/tickets/new" }) }}
      />
      <TicketFilters search={search} onChange={change} />
      {found.error && <ProblemAlert problem={asProblem(found.error)} />}
      <Table<TicketOut>
        rowKey="id"
        size="small"
        className="ticket-list"
        loading={found.isLoading}
        columns={columns(t, sort, title) ?? []}
        dataSource={rows}
        pagination={false}
        onChange={onSort}
        scroll={{ x: 1100 }}
        locale={{ emptyText: <EmptyState title={t("list.none")} text={t("list.noneText")} /> }}
      />
      {rows.length > 0 && <More loaded={rows.length} total={found.data?.pages[0]?.total ?? null} more={found} />}
    </Flex>
  );
}
