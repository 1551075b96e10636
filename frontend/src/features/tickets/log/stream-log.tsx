/** One log: its lines by number, however many there are. Give it the stream's id as key. */
import { Button, type InputRef } from "antd";
import { type ReactNode, type RefObject, useEffect, useReducer, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../../api/problem";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { RetryButton } from "../../../components/retry-button";
import { FreshLines } from "./fresh-lines";
import { follow, newLines, startFollow } from "./follow";
import type { LineCache } from "./line-cache";
import { LogLines, type LinesHandle } from "./log-lines";
import { firstErrorOf } from "./log-queries";
import type { LogStream } from "./log-sources";
import { type Controls, LogToolbar } from "./log-toolbar";
import { indexFrom, type MatchFinder, placeOf, stepFrom } from "./match-finder";
import { baseFor, sizeOf } from "./segments";
import { useLogKeys } from "./use-log-keys";
import { useLines, useMatches, useSettled, useStep } from "./use-stores";

export type StreamLogProps = {
  ticketId: string;
  stream: LogStream;
  controls: Controls;
  /** The marked line; it is shown at the beginning. */
  line: number | null;
  onLine: (line: number) => void;
  linkOf: (line: number) => string;
  children?: ReactNode;
};

type Shown = { count: number; base: number; numbers: readonly number[] | null };

const numberAt = (shown: Shown, index: number): number => shown.numbers?.[index] ?? shown.base + index + 1;
const indexOf = (shown: Shown, line: number): number =>
  shown.numbers ? Math.min(indexFrom(shown.numbers, line), shown.count - 1) : line - shown.base - 1;

/** The index of the marked line, if it is among those shown. */
function marked(shown: Shown, line: number | null): number | null {
  const index = line === null ? -1 : indexOf(shown, line);
  return index >= 0 && numberAt(shown, index) === line ? index : null;
}

/** What is before or behind the part of a very long log that is shown. */
function Beyond({ base, total, onShow, behind }: { base: number; total: number; onShow: (line: number) => void; behind: boolean }) {
  const { t, i18n } = useTranslation("log");
  const end = base + sizeOf(base, total);
  if (behind ? end >= total : base === 0) return null;
  const [from, to] = behind ? [end + 1, total] : [1, base];
  return (
    <Button type="link" size="small" onClick={() => onShow(behind ? from : to)}>
      {t(behind ? "part.behind" : "part.before", { from: from.toLocaleString(i18n.language), to: to.toLocaleString(i18n.language) })}
    </Button>
  );
}

function Status({ cache, line }: { cache: LineCache; line: number | null }) {
  const { t, i18n } = useTranslation("log");
  const text = line === null ? "" : (cache.get(line)?.text ?? "");
  return (
    <div className="log-status muted">
      <span>{t(cache.closed ? "lines.closed" : "lines.open", { total: cache.total.toLocaleString(i18n.language) })}</span>
      <span role="status" className="visually-hidden">
        {text === "" ? "" : t("line.said", { n: line, text: text.slice(0, 300) })}
      </span>
    </div>
  );
}

/** Moves through the log; `start` says which part of a very long one is shown. */
function useMoves(props: StreamLogProps, cache: LineCache, filter: MatchFinder | null) {
  const list = useRef<LinesHandle>(null);
  const [following, tell] = useReducer(follow, null, () =>
    startFollow(cache.total, props.line === null && props.stream.closed_at === null),
  );
  const [start, setStart] = useState(props.line ?? (following.on ? cache.total : 1));
  const base = baseFor(following.on ? cache.total : start, cache.total);
  const shown: Shown = filter
    ? { count: filter.lines.length, base: 0, numbers: filter.lines }
    : { count: sizeOf(base, cache.total), base, numbers: null };
  const go = (line: number, mark = true) => {
    tell({ kind: "away" });
    if (mark) props.onLine(line);
    setStart(line);
    if (filter !== null || baseFor(line, cache.total) === base) list.current?.show(indexOf(shown, line));
  };
  const end = () => list.current?.show(shown.count - 1, "end");
  const toggle = () => {
    if (!following.on) end();
    tell({ kind: "toggle" });
  };
  return { list, shown, base, start, following, tell, go, end, toggle };
}

function useSearch(props: StreamLogProps, total: number, from: () => number, go: (line: number) => void) {
  const q = useSettled(props.controls.text);
  const { level } = props.controls;
  const finder = useMatches(props.ticketId, props.stream.id, q === "" ? null : { q, level }, total);
  const ready = props.controls.text === "" || (q === props.controls.text && finder?.knows === true);
  const step = useStep(ready, (back) => {
    const found = finder && stepFrom(finder.lines, from(), back);
    if (found) go(found);
  });
  const place = finder ? placeOf(finder.lines, props.line) : 0;
  const matches = finder && { place, count: finder.lines.length, more: finder.busy || finder.full, busy: finder.busy };
  return { q, finder, step, matches };
}

/** Asks for the lines that are shown now and a few around them. */
function useWanted(cache: LineCache, shown: Shown, base: number) {
  const range = useRef<[number, number]>([0, 60]);
  const want = (first: number, last: number) => {
    range.current = [first, last];
    // Nothing is asked for while the list is being painted.
    queueMicrotask(() => {
      const from = Math.max(0, first - 20);
      cache.want(Array.from({ length: Math.min(shown.count, last + 40) - from }, (_, index) => numberAt(shown, from + index)));
    });
  };
  useEffect(() => want(...range.current), [cache, shown.count, base, cache.snapshot()]);
  return { range, want };
}

function useStreamLog(props: StreamLogProps) {
  const { stream, controls } = props;
  const filtered = controls.level !== "info";
  const cache = useLines(props.ticketId, stream, filtered);
  const filter = useMatches(props.ticketId, stream.id, filtered ? { q: "", level: controls.level } : null, cache.total);
  const moves = useMoves(props, cache, filter);
  const { shown, tell, go } = moves;
  const { range, want } = useWanted(cache, shown, moves.base);
  const search = useSearch(props, cache.total, () => props.line ?? numberAt(shown, range.current[0]) - 1, go);
  useEffect(() => tell({ kind: "grew", total: shown.count }), [tell, shown.count]);
  const firstError = async () => {
    const line = stream.first_error_line ?? (await firstErrorOf(props.ticketId, stream.id)).line;
    if (line !== null) go(line);
  };
  const problem = cache.error ?? filter?.problem ?? search.finder?.problem ?? null;
  const again = () => {
    cache.retry();
    filter?.retry(cache.total);
    search.finder?.retry(cache.total);
  };
  return { cache, filter, moves, shown, search, want, firstError, problem, again };
}

type Model = ReturnType<typeof useStreamLog>;

function Lines({ props, model }: { props: StreamLogProps; model: Model }) {
  const { t } = useTranslation("log");
  const { cache, filter, moves, shown, search, want } = model;
  const { following, tell, go } = moves;
  const { level, wrap } = props.controls;
  const beyond = (behind: boolean) => (filter ? null : <Beyond behind={behind} base={moves.base} total={cache.total} onShow={go} />);
  return (
    <div className="log-frame">
      <LogLines
        key={`${level} ${moves.base} ${wrap}`}
        ref={moves.list}
        label={t("lines.label")}
        count={shown.count}
        rowAt={(index) => cache.get(numberAt(shown, index))}
        numberAt={(index) => numberAt(shown, index)}
        current={marked(shown, props.line)}
        q={search.q}
        wrap={wrap}
        top={following.on ? shown.count - 1 : indexOf(shown, filter ? (props.line ?? numberAt(shown, 0)) : moves.start)}
        topAlign={following.on ? "end" : props.line === null ? "start" : "center"}
        follows={following.on}
        header={beyond(false)}
        footer={beyond(true)}
        onPick={(index) => props.onLine(numberAt(shown, index))}
        onRange={want}
        onBottom={(at) => at && tell({ kind: "bottom", open: !cache.closed })}
        onAway={() => tell({ kind: "away" })}
      />
      <FreshLines count={newLines(following)} onFollow={moves.toggle} />
    </div>
  );
}

function Toolbar({ props, model, region }: { props: StreamLogProps; model: Model; region: RefObject<HTMLDivElement | null> }) {
  const { t } = useTranslation("log");
  const { controls, stream } = props;
  const { cache, moves, shown, search, firstError } = model;
  const input = useRef<InputRef>(null);
  useLogKeys(region, {
    search: () => input.current?.focus({ cursor: "all" }),
    next: () => search.step(false),
    previous: () => search.step(true),
    first: () => moves.go(numberAt(shown, 0), false),
    last: () => moves.end(),
    follow: () => (cache.closed ? undefined : moves.toggle()),
    wrap: () => controls.onWrap(!controls.wrap),
    firstError: () => void firstError(),
  });
  return (
    <LogToolbar
      controls={controls}
      input={input}
      matches={search.matches}
      onStep={search.step}
      onLeave={() => region.current?.querySelector<HTMLElement>(".log-lines")?.focus()}
      noError={stream.first_error_line === null ? t("firstError.none") : null}
      onFirstError={() => void firstError()}
      follows={moves.following.on}
      noFollow={cache.closed ? t("follow.over") : null}
      onFollow={moves.toggle}
      link={props.line === null ? null : props.linkOf(props.line)}
    >
      {props.children}
    </LogToolbar>
  );
}

export function StreamLog(props: StreamLogProps) {
  const { t } = useTranslation("log");
  const region = useRef<HTMLDivElement>(null);
  const model = useStreamLog(props);
  const { cache, filter, shown, problem } = model;
  const nothing = filter ? (filter.busy ? "filter.busy" : "filter.none") : cache.closed ? "empty" : "empty.open";
  return (
    <div ref={region} className="log" data-testid="log" data-total={cache.total}>
      <Toolbar props={props} model={model} region={region} />
      {problem !== null && <ProblemAlert problem={asProblem(problem)} action={<RetryButton onClick={model.again} />} />}
      {shown.count === 0 ? <EmptyState title={t(nothing)} /> : <Lines props={props} model={model} />}
      <Status cache={cache} line={props.line} />
    </div>
  );
}
