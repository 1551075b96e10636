/** The stores of one log as hooks: its lines, and the numbers of lines that fit what is looked for. */
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { LineCache } from "./line-cache";
import { findLines, readLines, type Wanted } from "./log-queries";
import type { LogStream } from "./log-sources";
import { MatchFinder } from "./match-finder";

/** Of scattered lines only the neighbourhood is fetched. */
const SCATTERED = 20;

/** Lines of the stream; `scattered` when only some of them are shown. Kept as long as the stream is looked at. */
export function useLines(ticketId: string, stream: LogStream, scattered: boolean): LineCache {
  const [caches] = useState(() => {
    const fetch = (from: number, count: number) => readLines(ticketId, stream.id, from, count);
    const closed = stream.closed_at !== null;
    return { all: new LineCache(fetch, stream.lines, closed), some: new LineCache(fetch, stream.lines, closed, SCATTERED) };
  });
  const { lines, closed_at } = stream;
  useEffect(() => {
    caches.all.tell(lines, closed_at !== null);
    caches.some.tell(lines, closed_at !== null);
  }, [caches, lines, closed_at]);
  useSyncExternalStore(caches.all.subscribe, caches.all.snapshot);
  useSyncExternalStore(caches.some.subscribe, caches.some.snapshot);
  return scattered ? caches.some : caches.all;
}

const nothing = () => () => undefined;

/** What fits, as far as it has been looked for; null when nothing is looked for. */
export function useMatches(ticketId: string, streamId: string, wanted: Wanted | null, total: number): MatchFinder | null {
  const { q, level } = wanted ?? { q: "", level: "info" as const };
  const finder = useMemo(
    () =>
      q === "" && level === "info"
        ? null
        : new MatchFinder((from, signal) => findLines(ticketId, streamId, { q, level }, from, signal)),
    [ticketId, streamId, q, level],
  );
  const version = useSyncExternalStore(finder?.subscribe ?? nothing, finder?.snapshot ?? (() => 0));
  useEffect(() => {
    void finder?.reach(total);
  }, [finder, total, version]);
  return finder;
}

const TYPING_MS = 250;

/** A text a moment after its last change: not every letter is a search. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), text === "" ? 0 : TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** Steps from match to match. One that is asked for before the first match can be known (Enter right behind the last
 * letter) is taken as soon as it is. */
export function useStep(ready: boolean, step: (back: boolean) => void): (back: boolean) => void {
  const wish = useRef<boolean | null>(null);
  useEffect(() => {
    if (!ready || wish.current === null) return;
    const back = wish.current;
    wish.current = null;
    step(back);
  });
  return (back) => {
    if (ready) step(back);
    else wish.current = back;
  };
}
