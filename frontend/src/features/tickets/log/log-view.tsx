/** The log of a step, a run or a node. Props: what the address says; `onChoose` and `onLine` put it there: without them
 * (in a drawer) the log is of what it is given, and a marked line is known to this view alone. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button } from "antd";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../../api/problem";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { useLive } from "../../../lib/live";
import { readPreference, savePreference } from "../../../lib/preferences";
import { Throttled } from "../live-updates";
import { matrixQuery, ticketQuery } from "../queries";
import { fileUrl, logKeys, streamsQuery, streamUrl } from "./log-queries";
import { asGrowth, type Choice, grown, type Level, type LogStream, type Source, sourceOf, stepOf } from "./log-sources";
import type { Controls } from "./log-toolbar";
import { MergedLog } from "./merged-log";
import { SourceBar } from "./source-bar";
import { StreamLog } from "./stream-log";
import "./log.css";
import { Pending } from "../pending";

export type LogProps = {
  ticketId: string;
  step?: string;
  nodeId?: string;
  attempt?: number;
  line?: number;
  onChoose?: (choice: Choice & { line?: number }) => void;
  onLine?: (line: number) => void;
};

const LIST_MS = 1500;

/** The list of logs, kept up to date by the page's stream: which have grown, and that others are there. */
function useStreams(ticketId: string) {
  const queryClient = useQueryClient();
  const streams = useQuery(streamsQuery(ticketId));
  const { data: ticket } = useQuery(ticketQuery(ticketId));
  const [list] = useState(() => new Throttled(() => void queryClient.invalidateQueries({ queryKey: logKeys.streams(ticketId) }), LIST_MS));
  useEffect(() => () => list.stop(), [list]);
  // The innermost stream is the one that was asked for last: after the first paint, all around it have asked.
  const [after, setAfter] = useState<number | null>(null);
  const seq = ticket?.next_seq;
  useEffect(() => {
    if (seq !== undefined) setAfter((known) => known ?? seq - 1);
  }, [seq]);
  const open = ticket !== undefined && ticket.ended_at === null;
  useLive(open && after !== null ? streamUrl(ticketId, after) : null, {
    onEvent: ({ event, data }) => {
      if (event === "ticket") list.mark();
      const growth = event === "grown" ? asGrowth(data) : null;
      if (!growth) return;
      const known = queryClient.getQueryData<LogStream[]>(logKeys.streams(ticketId));
      const next = known ? grown(known, growth) : null;
      if (next) queryClient.setQueryData(logKeys.streams(ticketId), next);
      else list.mark();
    },
    onPoll: () => list.mark(),
  });
  return streams;
}

function useControls(): Controls {
  const [text, onText] = useState("");
  const [level, onLevel] = useState<Level>("info");
  const [wrap, setWrap] = useState(() => readPreference("log.wrap") === "1");
  const onWrap = (next: boolean) => {
    savePreference("log.wrap", next ? "1" : "0");
    setWrap(next);
  };
  return { text, onText, level, onLevel, wrap, onWrap };
}

/** Names by node; the run's own log has a word of its own. */
function useNames(ticketId: string): (nodeId: string | null) => string {
  const { t } = useTranslation("log");
  const { data: nodes } = useQuery(matrixQuery(ticketId));
  const names = useMemo(() => new Map((nodes ?? []).map((node) => [node.id, node.name])), [nodes]);
  return (nodeId) => (nodeId === null ? t("node.none") : (names.get(nodeId) ?? nodeId));
}

function linkTo(ticketId: string, stream: LogStream, line: number): string {
  const search = new URLSearchParams({ tab: "log", step: stream.step, attempt: String(stream.attempt_n), line: String(line) });
  if (stream.node_id !== null) search.set("node", stream.node_id);
  return `${location.origin}/tickets/${ticketId}?${search.toString()}`;
}

type OpenedProps = LogProps & { source: Source; streams: LogStream[]; controls: Controls; nameOf: (nodeId: string | null) => string };

function Opened({ source, streams, controls, nameOf, ...props }: OpenedProps) {
  const { t } = useTranslation("log");
  const [marked, setMarked] = useState<number | null>(null);
  if (source.kind === "none") return <EmptyState title={t("none")} text={t("none.text")} />;
  if (source.kind === "merged") {
    return (
      <MergedLog
        key={source.step}
        ticketId={props.ticketId}
        step={source.step}
        streams={streams}
        nameOf={nameOf}
        controls={controls}
        onOpen={(choice) => props.onChoose?.(choice)}
      />
    );
  }
  const { stream } = source;
  const current = streams.find((one) => one.id === stream.id) ?? stream;
  return (
    <StreamLog
      key={stream.id}
      ticketId={props.ticketId}
      stream={current}
      controls={controls}
      line={props.onLine ? (props.line ?? null) : marked}
      onLine={props.onLine ?? setMarked}
      linkOf={(line) => linkTo(props.ticketId, stream, line)}
    >
      {!props.onChoose && (
        <Button size="small" type="text" href={fileUrl(props.ticketId, stream.id)} download>
          {t("file.one")}
        </Button>
      )}
    </StreamLog>
  );
}

export function LogView(props: LogProps) {
  const { t } = useTranslation("log");
  const streams = useStreams(props.ticketId);
  const controls = useControls();
  const nameOf = useNames(props.ticketId);
  if (streams.error && !streams.data) return <ProblemAlert problem={asProblem(streams.error)} />;
  if (!streams.data) return <Pending />;
  const choice: Choice = { step: props.step, nodeId: props.nodeId, attempt: props.attempt };
  const step = stepOf(streams.data, choice);
  const source = sourceOf(streams.data, choice);
  return (
    <div className="log-view">
      {props.onChoose && step !== null && (
        <SourceBar
          ticketId={props.ticketId}
          streams={streams.data}
          step={step}
          choice={choice}
          source={source}
          nameOf={nameOf}
          onChoose={props.onChoose}
        />
      )}
      {source.kind === "stream" && source.fallback && (
        <Alert type="info" showIcon title={t("node.fallback", { name: nameOf(props.nodeId ?? null) })} />
      )}
      <Opened {...props} source={source} streams={streams.data} controls={controls} nameOf={nameOf} />
    </div>
  );
}
