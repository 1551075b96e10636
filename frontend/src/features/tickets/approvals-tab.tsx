/** Every gate of the ticket, in order: who decided what, when, and who may decide the open ones. */
import { useQuery } from "@tanstack/react-query";
import { App, Button, Table, type TableProps } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { TimeText } from "../../components/time-text";
import { meQuery } from "../../lib/queries";
import { approvalRows, type ApprovalRow, revocable } from "./approvals";
import { permissionKey } from "./cause-text";
import { StateText } from "./state-text";
import { sendRevocation } from "./queries";
import type { TabProps } from "./ticket-tabs";
import { useTicketAction } from "./use-ticket";

function Who({ row }: { row: ApprovalRow }) {
  const { t } = useTranslation("tickets");
  if (row.approverId !== null) {
    return (
      <>
        <bdi>{row.approverName}</bdi>
        {row.actingForName !== null && (
          <span className="muted">
            {" "}
            {t("approvals.actingFor")} <bdi>{row.actingForName}</bdi>
          </span>
        )}
      </>
    );
  }
  if (row.gate.state !== "OPEN") return <span className="muted">–</span>;
  const names = row.gate.candidates.map((person) =>
    person.acting_for === null ? person.name : t("approvals.for", { name: person.name, other: person.acting_for }),
  );
  const role = t(permissionKey(row.gate.permission));
  return (
    <span className="muted">
      {names.length > 0 ? t("approvals.candidates", { names: names.join(", ") }) : t("approvals.role", { role })}
    </span>
  );
}

function TakeBack({ ticketId, row }: { ticketId: string; row: ApprovalRow }) {
  const { t, i18n } = useTranslation("tickets");
  const { modal, message } = App.useApp();
  const { data: me } = useQuery(meQuery);
  const act = useTicketAction<string>(ticketId, (gateId) => sendRevocation(ticketId, gateId), () => void message.success(t("approvals.takenBack")));
  if (!revocable(row, me?.id)) return null;
  const ask = () =>
    modal.confirm({
      title: t("approvals.takeBackAsk"),
      content: t("approvals.takeBackEffect"),
      okText: t("approvals.takeBack"),
      cancelText: t("action.keep"),
      onOk: () => act.mutateAsync(row.gate.id).catch((error: unknown) => void message.error(pick(asProblem(error).cause, i18n.language))),
    });
  return (
    <Button size="small" onClick={ask}>
      {t("approvals.takeBack")}
    </Button>
  );
}

function useColumns(ticketId: string): NonNullable<TableProps<ApprovalRow>["columns"]> {
  const { t, i18n } = useTranslation("tickets");
  return [
    {
      title: t("approvals.gate"),
      key: "gate",
      render: (_, row) => (
        <span>
          {row.number} {pick(row.title, i18n.language)} · {t(`phase.${row.gate.phase}`)}
        </span>
      ),
    },
    { title: t("approvals.state"), key: "state", render: (_, row) => <StateText kind="gate" state={row.gate.state} /> },
    { title: t("approvals.who"), key: "who", render: (_, row) => <Who row={row} /> },
    {
      title: t("approvals.decision"),
      key: "decision",
      render: (_, row) =>
        row.decision === null ? null : (
          <span>
            {t(`decision.${row.decision}`)}
            {row.revokedAt !== null && <span className="muted"> {t("approvals.revoked")}</span>}{" "}
            <TakeBack ticketId={ticketId} row={row} />
          </span>
        ),
    },
    { title: t("approvals.comment"), dataIndex: "comment", render: (comment: string) => <bdi className="wrap">{comment}</bdi> },
    { title: t("approvals.at"), key: "at", render: (_, row) => <TimeText at={row.at ?? row.gate.opened_at} /> },
    {
      title: t("approvals.hash"),
      key: "hash",
      render: (_, row) => <code title={row.gate.subject_hash}>{row.gate.subject_hash.slice(0, 10)}</code>,
    },
  ];
}

export function ApprovalsTab({ ticket }: TabProps) {
  const { t } = useTranslation("tickets");
  const columns = useColumns(ticket.id);
  return (
    <Table<ApprovalRow>
      rowKey="key"
      size="small"
      columns={columns}
      dataSource={approvalRows(ticket)}
      pagination={false}
      scroll={{ x: 860 }}
      locale={{ emptyText: <EmptyState title={t("approvals.none")} text={t("approvals.noneText")} /> }}
    />
  );
}
