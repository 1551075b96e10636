/** Search in the merged log: first among the lines held, then in the rest of the log, which the server looks through. */
import { useEffect, useMemo, useRef, useState } from "react";
import type { MergedOut } from "../../../api/client";
import { findMerged } from "./log-queries";
import type { Level } from "./log-sources";
import type { Matches } from "./log-toolbar";
import { indexFrom, placeOf, stepFrom } from "./match-finder";
import type { MergedFeed, Sought } from "./merged-feed";
import { atLeast, matchesIn, type Merged, nextCursor, previousCursor, type Said } from "./merged-pages";
import { useSettled } from "./use-stores";

type Place = { ticketId: string; step: string };
type Held = { feed: MergedFeed; state: Merged | null; lines: readonly Said[] };

/** What is looked for: a text, or any line of the level. A search is given up when another one begins. */
function useSought({ ticketId, step }: Place, { feed, lines }: Held, q: string, level: Level) {
  const work = useRef<AbortController | null>(null);
  const [busy, setBusy] = useState(false);
  const [none, setNone] = useState(false);
  useEffect(() => {
    setNone(false);
    return () => work.current?.abort();
  }, [feed, q, level]);
  useEffect(() => setNone(false), [lines]);
  const seek = async (begins: Array<string | null>, back: boolean): Promise<Sought> => {
    const { signal } = (work.current = new AbortController());
    const find = (cursor: string | null) => findMerged(ticketId, step, { q, level }, { cursor, direction: back ? "back" : "forward" }, signal);
    const pick = (page: MergedOut) => hitOf(page, q, level, back);
    setBusy(true);
    let result: Sought = "none";
    for (const from of begins) if (result === "none") result = await feed.seek(find, pick, from, back, signal);
    if (work.current?.signal === signal) setBusy(false);
    if (!signal.aborted) setNone(result === "none");
    return result;
  };
  return { seek, busy, none };
}

/** The line of a page that was found for its sake: its first match, or the last one when reading backwards. */
function hitOf(page: MergedOut, q: string, level: Level, back: boolean): Said {
  const lines = atLeast(page.lines, level);
  const hits = q === "" ? lines : matchesIn(lines, q).map((index) => lines[index]!);
  return (back ? hits.at(-1) : hits[0]) ?? page.lines[0]!;
}

/** From where to look beyond what is held: behind it (or before it), then round the end of the log. */
function beginsOf(state: Merged, back: boolean): Array<string | null> {
  const beyond = back ? state.before : state.behind;
  const round = back ? state.behind : state.before;
  return [...(beyond ? [back ? previousCursor(state) : nextCursor(state)] : []), ...(round ? [null] : [])];
}

function matchesOf(q: string, found: readonly number[], index: number | null, state: Merged | null, sought: { busy: boolean; none: boolean }): Matches | null {
  if (q === "") return null;
  const elsewhere = state?.behind === true || state?.before === true;
  return { place: placeOf(found, index), count: found.length, more: elsewhere && !sought.none, busy: sought.busy };
}

export function useMergedSearch(place: Place, held: Held, text: string, level: Level) {
  const { feed, state, lines } = held;
  const q = useSettled(text);
  const found = useMemo(() => matchesIn(lines, q), [lines, q]);
  const [current, setCurrent] = useState<Said | null>(null);
  const index = useMemo(() => {
    const at = current === null ? -1 : lines.indexOf(current);
    return at < 0 ? null : at;
  }, [lines, current]);
  const sought = useSought(place, held, q, level);

  /** Marks the next match (or the one before); its index when it is among the lines held, which `from` is a place of. */
  const step = async (back: boolean, from: number): Promise<number | null> => {
    const at = index ?? from;
    const near = back ? found[indexFrom(found, at) - 1] : found[indexFrom(found, at + 1)];
    if (near === undefined && sought.busy) return null;
    const begins = state === null || near !== undefined ? [] : beginsOf(state, back);
    const result = begins.length > 0 ? await sought.seek(begins, back) : "none";
    if (result === "stopped") return null;
    if (result === "found") {
      const { at } = feed.snapshot()!.opened;
      setCurrent(typeof at === "string" ? null : at);
      return null;
    }
    const next = near ?? stepFrom(found, at, back);
    setCurrent(next === null ? null : (lines[next] ?? null));
    return next;
  };
  return { q, index, step, none: sought.none, busy: sought.busy, matches: matchesOf(q, found, index, state, sought) };
}
