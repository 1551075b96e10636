/** Tickets that name this machine, the newest first. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Table } from "antd";
import { useTranslation } from "react-i18next";
import type { MachineTicketOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { machineTicketsQuery } from "./queries";

export function MachineTickets({ id }: { id: string }) {
  const { t, i18n } = useTranslation("machines");
  const tickets = useQuery(machineTicketsQuery(id));
  if (tickets.error) return <ProblemAlert problem={asProblem(tickets.error)} />;
  return (
    <Table<MachineTicketOut>
      rowKey="id"
      size="small"
      loading={tickets.isLoading}
      pagination={false}
      dataSource={tickets.data?.items ?? []}
      columns={[
        {
          title: t("ticket.number"),
          dataIndex: "number",
          render: (number: number) => (
            <Link to={"/tickets/$ticket" as string} params={{ ticket: String(number) } as never}>
              #{number}
            </Link>
          ),
        },
        { title: t("ticket.flow"), dataIndex: "flow_title", render: (title) => pick(title, i18n.language) },
        { title: t("ticket.state"), dataIndex: "state", render: (state: string) => t(`ticket.state.${state}`) },
        { title: t("ticket.requester"), dataIndex: "requester_name" },
        { title: t("ticket.created"), dataIndex: "created_at", render: (at: string) => <TimeText at={at} /> },
      ]}
      locale={{ emptyText: <EmptyState title={t("ticket.none")} /> }}
    />
  );
}
