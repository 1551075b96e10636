/** What was done to this machine, by people and by steps, the newest first. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Button, Flex, Spin } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { machineHistoryQuery } from "./queries";

const SHORT = 300;

/** What changed, as stored; a long one is opened by who wants it. */
function Detail({ text }: { text: string }) {
  if (text.length <= SHORT) return <div className="mono history-detail">{text}</div>;
  return (
    <details className="mono history-detail">
      <summary>{text.slice(0, SHORT / 2)}…</summary>
      {text}
    </details>
  );
}

export function History({ id }: { id: string }) {
  const { t } = useTranslation("machines");
  const history = useInfiniteQuery(machineHistoryQuery(id));
  const rows = history.data?.pages.flatMap((page) => page.items) ?? [];
  if (history.isLoading) return <Spin />;
  if (history.error) return <ProblemAlert problem={asProblem(history.error)} />;
  if (rows.length === 0) return <EmptyState title={t("history.none")} />;
  return (
    <Flex vertical gap={8} align="start">
      <ol className="history">
        {rows.map((row) => (
          <li key={row.key}>
            <TimeText at={row.at} /> <strong>{row.kind}</strong> <span className="muted">{row.actor_name}</span>
            {row.ticket_number !== null && <span> #{row.ticket_number}</span>}
            <Detail text={JSON.stringify(row.detail)} />
          </li>
        ))}
      </ol>
      {history.hasNextPage && (
        <Button loading={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
          {t("history.more")}
        </Button>
      )}
    </Flex>
  );
}
