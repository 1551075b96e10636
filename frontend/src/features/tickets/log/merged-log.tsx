/** All logs of a step in the order of time. Numbers are those of each node's own log; one click leads there. */
import { Button, type InputRef } from "antd";
import { type ReactNode, type RefObject, useEffect, useMemo, useReducer, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../../api/problem";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { RetryButton } from "../../../components/retry-button";
import { FreshLines } from "./fresh-lines";
import { follow, newLines, startFollow } from "./follow";
import { LogLines, type LinesHandle } from "./log-lines";
import { readLines, readMerged } from "./log-queries";
import { type Choice, failedStreams, type LogStream, streamsOf } from "./log-sources";
import { type Controls, LogToolbar } from "./log-toolbar";
import { MergedFeed } from "./merged-feed";
import { linesOf, type Merged } from "./merged-pages";
import { useMergedSearch } from "./merged-search";
import { useLogKeys } from "./use-log-keys";
import { useStep } from "./use-stores";
import { Pending } from "../pending";

export type MergedLogProps = {
  ticketId: string;
  step: string;
  streams: readonly LogStream[];
  nameOf: (nodeId: string | null) => string;
  controls: Controls;
  /** Shows one node's log at a line. */
  onOpen: (choice: Choice & { line: number }) => void;
  children?: ReactNode;
};

/** Where the earliest first error of several logs is. Times tell; of very many logs the first ones are asked. */
async function earliestError(ticketId: string, streams: readonly LogStream[]): Promise<LogStream | null> {
  const asked = await Promise.all(
    streams.slice(0, 20).map(async (stream) => {
      const { lines } = await readLines(ticketId, stream.id, stream.first_error_line ?? 1, 1);
      return { stream, at: lines[0]?.at ?? "9" };
    }),
  );
  asked.sort((one, other) => (one.at < other.at ? -1 : 1));
  return asked[0]?.stream ?? null;
}

const choiceOf = (stream: { step: string; node_id: string | null; attempt_n: number }): Choice => ({
  step: stream.step,
  nodeId: stream.node_id ?? undefined,
  attempt: stream.attempt_n,
});

function useFeed(props: MergedLogProps, open: boolean) {
  const { ticketId, step } = props;
  const feed = useMemo(
    () => new MergedFeed((cursor, direction) => readMerged(ticketId, step, cursor, direction)),
    [ticketId, step],
  );
  const state = useSyncExternalStore(feed.subscribe, feed.snapshot);
  const problem = useSyncExternalStore(feed.subscribe, feed.problem);
  const [atEnd] = useState(open);
  useEffect(() => {
    void feed.open(atEnd);
  }, [feed, atEnd]);
  return { feed, state, problem, atEnd };
}

function useMergedLog(props: MergedLogProps) {
  const { controls, step } = props;
  const list = useRef<LinesHandle>(null);
  const top = useRef(0);
  const own = useMemo(() => streamsOf(props.streams, step), [props.streams, step]);
  const total = own.reduce((sum, one) => sum + one.lines, 0);
  const open = own.some((one) => one.closed_at === null);
  const { feed, state, problem, atEnd } = useFeed(props, open);
  const [following, tell] = useReducer(follow, null, () => startFollow(total, open));
  const lines = useMemo(() => (state ? linesOf(state, controls.level) : []), [state, controls.level]);
  const search = useMergedSearch({ ticketId: props.ticketId, step }, { feed, state, lines }, controls.text, controls.level);
  useEffect(() => {
    tell({ kind: "grew", total });
    void feed.grew(following.on);
  }, [feed, total, following.on]);
  const end = async () => {
    if (state?.behind) await feed.open(true);
    else list.current?.show(lines.length - 1, "end");
  };
  const begin = async () => {
    if (state?.before) await feed.open(false);
    else list.current?.show(0, "start");
  };
  const toggle = () => {
    if (!following.on) void end();
    tell({ kind: "toggle" });
  };
  const show = async (back: boolean) => {
    if (search.q === "" && lines.length > 0) return; // nothing is looked for
    tell({ kind: "away" });
    const found = await search.step(back, top.current - 1);
    if (found !== null) list.current?.show(found);
  };
  const stepOn = useStep(search.q === controls.text, (back) => void show(back));
  return { list, top, own, total, open, feed, state, problem, atEnd, following, tell, lines, search, end, begin, toggle, stepOn };
}

type Model = ReturnType<typeof useMergedLog>;

function Toolbar({ props, model, region }: { props: MergedLogProps; model: Model; region: RefObject<HTMLDivElement | null> }) {
  const { t } = useTranslation("log");
  const { controls, step } = props;
  const { open, toggle, stepOn } = model;
  const input = useRef<InputRef>(null);
  const failed = failedStreams(model.own, step);
  const firstError = async () => {
    const stream = await earliestError(props.ticketId, failed);
    if (stream) props.onOpen({ ...choiceOf(stream), line: stream.first_error_line ?? 1 });
  };
  useLogKeys(region, {
    search: () => input.current?.focus({ cursor: "all" }),
    next: () => stepOn(false),
    previous: () => stepOn(true),
    first: () => void model.begin(),
    last: () => void model.end(),
    follow: () => (open ? toggle() : undefined),
    wrap: () => controls.onWrap(!controls.wrap),
    firstError: () => void firstError(),
  });
  return (
    <LogToolbar
      controls={controls}
      input={input}
      matches={model.search.matches}
      onStep={stepOn}
      onLeave={() => region.current?.querySelector<HTMLElement>(".log-lines")?.focus()}
      noError={failed.length === 0 ? t("firstError.none") : null}
      onFirstError={() => void firstError()}
      follows={model.following.on}
      noFollow={open ? null : t("follow.over")}
      onFollow={toggle}
      link={null}
    >
      {props.children}
    </LogToolbar>
  );
}

/** Nothing of what is held is shown: the rest of the log may have such lines. */
function Nothing({ level, model, state }: { level: string; model: Model; state: Merged }) {
  const { t } = useTranslation("log");
  const { open, search } = model;
  const more = (state.behind || state.before) && !search.none && (
    <Button size="small" loading={search.busy} onClick={() => model.stepOn(false)}>
      {t("merged.find")}
    </Button>
  );
  return <EmptyState title={t(level === "info" ? (open ? "empty.open" : "empty") : "filter.none")} action={more} />;
}

function Lines({ props, model, state }: { props: MergedLogProps; model: Model; state: Merged }) {
  const { t } = useTranslation("log");
  const { lines, following, search, tell, feed } = model;
  const { level, wrap } = props.controls;
  const { at } = state.opened;
  const first = typeof at === "string" ? null : lines.indexOf(at);
  const shown = search.index ?? first;
  const atEnd = following.on || at === "end";
  const more = <div className="log-missing">{t("line.loading")}</div>;
  const pick = (index: number) => {
    const line = lines[index];
    if (line) props.onOpen({ ...choiceOf({ ...line, step: props.step }), line: line.n });
  };
  return (
    <div className="log-frame">
      <LogLines
        key={`${level} ${wrap} ${state.opened.turn}`}
        ref={model.list}
        label={t("lines.label")}
        count={lines.length}
        firstIndex={state.start[level]}
        rowAt={(index) => lines[index] ?? null}
        numberAt={(index) => lines[index]?.n ?? 0}
        nameAt={(index) => props.nameOf(lines[index]?.node_id ?? null)}
        keyAt={(index) => `${lines[index]?.stream_id} ${lines[index]?.n}`}
        current={search.index}
        q={search.q}
        wrap={wrap}
        top={shown ?? (atEnd ? lines.length - 1 : 0)}
        topAlign={shown !== null ? "center" : atEnd ? "end" : "start"}
        follows={following.on}
        header={state.before ? more : null}
        footer={state.behind ? more : null}
        onPick={pick}
        onRange={(first) => (model.top.current = first)}
        onBottom={(at) => at && !state.behind && tell({ kind: "bottom", open: model.open })}
        onAway={() => tell({ kind: "away" })}
        onTop={() => void feed.back()}
        onEnd={() => state.behind && void feed.forward()}
      />
      <FreshLines count={newLines(following)} onFollow={model.toggle} />
    </div>
  );
}

export function MergedLog(props: MergedLogProps) {
  const { t, i18n } = useTranslation("log");
  const region = useRef<HTMLDivElement>(null);
  const model = useMergedLog(props);
  const { feed, state, problem, lines } = model;
  const number = (count: number) => count.toLocaleString(i18n.language);
  const again = () => void (state ? feed.forward() : feed.open(model.atEnd));
  return (
    <div ref={region} className="log" data-testid="log" data-merged="true">
      <Toolbar props={props} model={model} region={region} />
      {problem !== null && <ProblemAlert problem={asProblem(problem)} action={<RetryButton onClick={again} />} />}
      {state === null && problem === null && <Pending />}
      {state !== null && lines.length === 0 && <Nothing level={props.controls.level} model={model} state={state} />}
      {state !== null && lines.length > 0 && <Lines props={props} model={model} state={state} />}
      <div className="log-status muted">
        {t("merged.status", { logs: number(model.own.length), total: number(model.total), shown: number(lines.length) })}
      </div>
    </div>
  );
}
