/** My work: what waits for this person first, decided one by one or together, by keyboard if one likes. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Button, Flex, Modal, Tabs } from "antd";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { RetryButton } from "../../components/retry-button";
import { inboxCountsQuery } from "../../lib/queries";
import { DecisionDialog } from "./decision-dialog";
import { InboxTable } from "./inbox-table";
import { inboxQuery } from "./queries";
import { cursorAt, type Key, keyOf, type Row, subjectsOf, type Tab, TABS, type Verdict } from "./state";
import "./inbox.css";

const route = getRouteApi("/shell/inbox");
const NO_ROWS: Row[] = [];

function Keys({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("inbox");
  const keys = ["J", "K", "A", "R", "Enter", "Space", "?"] as const;
  return (
    <Modal open title={t("keys.title")} footer={null} onCancel={onClose} width={420}>
      <dl className="inbox-keys">
        {keys.map((key) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(`keys.${key}`)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

function focusRow(id: string): void {
  document.querySelector<HTMLElement>(`[data-row-key="${CSS.escape(id)}"]`)?.focus();
}

/** Keys of the page; whoever types or answers a dialog is left alone. */
function useKeys(act: (key: Key) => void): void {
  const current = useRef(act);
  useEffect(() => {
    current.current = act;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const key = keyOf(event);
      if (key === null || document.querySelector(".ant-modal-wrap:not([style*='display: none'])")) return;
      event.preventDefault();
      current.current(key);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

/** Where the reader is, what he has chosen, and what he is about to decide. */
function useInbox(rows: readonly Row[]) {
  const navigate = useNavigate();
  const ids = rows.map((row) => row.ticket.id);
  const [place, setPlace] = useState<{ id: string | null; index: number }>({ id: null, index: 0 });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<{ rows: Row[]; verdict: Verdict } | null>(null);
  const [help, setHelp] = useState(false);
  const cursor = cursorAt(ids, place.id, place.index);
  const subjects = subjectsOf(rows, selected, cursor);
  const move = (index: number) => {
    const id = ids[Math.min(Math.max(index, 0), ids.length - 1)];
    if (id === undefined) return;
    setPlace({ id, index });
    focusRow(id);
  };
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    setSelected(next);
  };
  const ask = (verdict: Verdict) => subjects.length > 0 && setAsked({ rows: subjects, verdict });
  const close = (done: string[]) => {
    setAsked(null);
    setSelected(new Set([...selected].filter((id) => !done.includes(id))));
    const stays = ids[cursor];
    if (stays !== undefined) setTimeout(() => focusRow(stays), 0);
  };
  const row = rows[cursor];
  useKeys((key) => {
    if (key === "next") move(document.activeElement?.closest("[data-row-key]") ? cursor + 1 : cursor);
    else if (key === "previous") move(cursor - 1);
    else if (key === "help") setHelp(true);
    else if (key === "approve" || key === "reject") ask(key);
    else if (row && key === "open") void navigate({ to: "/tickets/$ticket", params: { ticket: String(row.ticket.number) } });
    else if (row && key === "select") toggle(row.ticket.id);
  });
  return { ids, cursor, selected, setSelected, subjects, asked, ask, close, help, setHelp, point: (id: string) => setPlace({ id, index: ids.indexOf(id) }) };
}

function Actions({ inbox }: { inbox: ReturnType<typeof useInbox> }) {
  const { t } = useTranslation("inbox");
  const count = inbox.selected.size > 0 ? inbox.subjects.length : 0;
  const reason = count === 0 ? t("decide.nothing") : null;
  return (
    <Flex gap={8} align="center" wrap role="group" aria-label={t("actions")}>
      <ReasonButton type="primary" size="small" reason={reason} onClick={() => inbox.ask("approve")}>
        {t("decide.approve", { count })}
      </ReasonButton>
      <ReasonButton danger size="small" reason={reason} onClick={() => inbox.ask("reject")}>
        {t("decide.reject", { count })}
      </ReasonButton>
      <span className="muted" role="status">
        {count > 0 && t("selected", { count })}
      </span>
    </Flex>
  );
}

function Rows({ tab }: { tab: Tab }) {
  const { t } = useTranslation("inbox");
  const found = useInfiniteQuery(inboxQuery(tab));
  const rows = found.data?.pages.flatMap((page) => page.items) ?? NO_ROWS;
  const inbox = useInbox(rows);
  if (found.error && !found.data) {
    return <ProblemAlert problem={asProblem(found.error)} action={<RetryButton onClick={() => void found.refetch()} />} />;
  }
  return (
    <Flex vertical gap={8}>
      {tab === "approve" && rows.length > 0 && <Actions inbox={inbox} />}
      <InboxTable
        tab={tab}
        rows={rows}
        loading={found.isPending}
        cursor={inbox.ids[inbox.cursor] ?? null}
        onPoint={inbox.point}
        selected={inbox.selected}
        onSelect={inbox.setSelected}
        empty={<EmptyState title={t(`none.${tab}`)} />}
      />
      {found.hasNextPage && (
        <Flex justify="center">
          <Button onClick={() => void found.fetchNextPage()} loading={found.isFetchingNextPage}>
            {t("more")}
          </Button>
        </Flex>
      )}
      {inbox.asked && <DecisionDialog rows={inbox.asked.rows} verdict={inbox.asked.verdict} onClose={inbox.close} />}
      {inbox.help && <Keys onClose={() => inbox.setHelp(false)} />}
      <Button type="text" size="small" className="inbox-help" onClick={() => inbox.setHelp(true)}>
        {t("keys.hint")}
      </Button>
    </Flex>
  );
}

export function InboxPage() {
  const { t } = useTranslation("inbox");
  const { tab = "approve" } = route.useSearch();
  const navigate = useNavigate();
  const { data: counts } = useQuery(inboxCountsQuery);
  return (
    <Flex vertical gap={12} className="page">
      <PageHeader title={t("title")} />
      <Tabs
        className="card inbox"
        activeKey={tab}
        destroyOnHidden
        onChange={(key) => void navigate({ to: "/inbox", search: key === "approve" ? {} : { tab: key as Tab }, replace: true })}
        items={TABS.map((one) => ({
          key: one,
          label: (
            <span>
              {t(`tab.${one}`)} <span className={one === "approve" && counts?.approve ? "count" : "inbox-count"}>{counts?.[one] ?? ""}</span>
            </span>
          ),
          children: one === tab ? <Rows key={one} tab={one} /> : null,
        }))}
      />
    </Flex>
  );
}
