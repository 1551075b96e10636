/** Rows of one tab. Props: `cursor` the row that the keys act on, `onPoint` makes another one it; `selected` only where
 * something can be decided. */
import { Table, type TableProps } from "antd";
import type { TFunction } from "i18next";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { TimeText } from "../../components/time-text";
import { ProgressBar } from "../tickets/progress-bar";
import { StateText } from "../tickets/state-text";
import { TicketLink } from "../tickets/ticket-link";
import "../tickets/tickets.css";
import { late, type Row, type Tab, waitingSince } from "./state";

type Props = {
  tab: Tab;
  rows: readonly Row[];
  loading: boolean;
  cursor: string | null;
  onPoint: (id: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (ids: ReadonlySet<string>) => void;
  empty: ReactNode;
};

function What({ row }: { row: Row }) {
  const { i18n } = useTranslation();
  return (
    <span className="list-step">
      <span>{pick(row.ticket.flow_title, i18n.language)}</span>
      <bdi className="muted ellipsis" title={row.ticket.summary}>
        {row.ticket.summary}
      </bdi>
    </span>
  );
}

/** What is to be signed: a step, and whether before or behind it. */
function Gates({ row }: { row: Row }) {
  const { t, i18n } = useTranslation("inbox");
  return (
    <span className="list-step">
      {row.gates.map((gate) => (
        <span key={gate.gate_id}>
          <span className="inbox-phase">{t(`phase.${gate.phase}`)}</span> {pick(gate.title, i18n.language)}
          {gate.quorum > 1 && <span className="muted">{t("quorum", { done: gate.approvals_n, of: gate.quorum })}</span>}
        </span>
      ))}
    </span>
  );
}

function Where({ row }: { row: Row }) {
  const { i18n } = useTranslation();
  const { step_title, waiting } = row.ticket;
  return (
    <span className="list-step">
      {step_title && <span>{pick(step_title, i18n.language)}</span>}
      {waiting && (
        <span className="muted ellipsis" title={pick(waiting, i18n.language)}>
          {pick(waiting, i18n.language)}
        </span>
      )}
    </span>
  );
}

type Columns = NonNullable<TableProps<Row>["columns"]>;

function since(row: Row) {
  const at = waitingSince(row);
  return (
    <span className={late(at, Date.now()) ? "error-text" : undefined}>
      <TimeText at={at} />
    </span>
  );
}

function columns(t: TFunction<"inbox">, tab: Tab): Columns {
  const start: Columns = [
    { title: t("column.number"), key: "number", width: 88, render: (_, row) => <TicketLink number={row.ticket.number} /> },
    { title: t("column.flow"), key: "flow", width: 240, render: (_, row) => <What row={row} /> },
    { title: t("column.cluster"), key: "cluster", width: 120, ellipsis: true, render: (_, row) => <bdi>{row.ticket.cluster_name ?? "–"}</bdi> },
    { title: t("column.targets"), key: "targets", width: 80, align: "right", render: (_, row) => row.ticket.targets },
  ];
  const middle: Columns =
    tab === "approve"
      ? [
          { title: t("column.gate"), key: "gate", render: (_, row) => <Gates row={row} /> },
          { title: t("column.since"), key: "since", width: 124, render: (_, row) => since(row) },
        ]
      : [
          { title: t("column.state"), key: "state", width: 140, render: (_, row) => <StateText kind="ticket" state={row.ticket.state} badge /> },
          { title: t("column.step"), key: "step", render: (_, row) => <Where row={row} /> },
        ];
  const end: Columns = [
    { title: t("column.progress"), key: "progress", width: 124, render: (_, row) => <ProgressBar progress={row.ticket.progress} /> },
    {
      title: t("column.requester"),
      key: "requester",
      width: 120,
      ellipsis: true,
      render: (_, row) => <bdi>{row.ticket.requester_name ?? row.ticket.requester_id.slice(0, 8)}</bdi>,
    },
    tab === "done"
      ? { title: t("column.ended"), key: "ended", width: 108, render: (_, row) => <TimeText at={row.ticket.ended_at} /> }
      : { title: t("column.updated"), key: "updated", width: 108, render: (_, row) => <TimeText at={row.ticket.updated_at} /> },
  ];
  return [...start, ...middle, ...(tab === "approve" ? end.slice(0, 2) : end)];
}

export function InboxTable({ tab, rows, loading, cursor, onPoint, selected, onSelect, empty }: Props) {
  const { t } = useTranslation(["inbox", "tickets"]);
  const selection: TableProps<Row>["rowSelection"] = {
    selectedRowKeys: [...selected],
    onChange: (keys) => onSelect(new Set(keys.map(String))),
    getTitleCheckboxProps: () => ({ "aria-label": t("inbox:select.all") }),
    getCheckboxProps: (row) => ({ "aria-label": t("inbox:select.one", { number: row.ticket.number }) }) as object,
  };
  return (
    <Table<Row>
      rowKey={(row) => row.ticket.id}
      size="small"
      className="ticket-list inbox-table"
      loading={loading}
      columns={columns(t as unknown as TFunction<"inbox">, tab)}
      dataSource={[...rows]}
      pagination={false}
      tableLayout="fixed"
      {...(tab === "approve" ? { rowSelection: selection } : {})}
      onRow={(row) => ({
        tabIndex: row.ticket.id === cursor ? 0 : -1,
        "aria-current": row.ticket.id === cursor ? "true" : undefined,
        onFocus: () => onPoint(row.ticket.id),
        onClick: () => onPoint(row.ticket.id),
      })}
      locale={{ emptyText: loading ? " " : empty }}
    />
  );
}
