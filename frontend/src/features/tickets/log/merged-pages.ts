/** The merged log of a step: pages in the order of time, some of them held, the others behind their cursors. Pure. */
import type { MergedOut, SaidOut } from "../../../api/client";
import type { Level } from "./log-sources";

export type Said = SaidOut;
export type Merged = {
  pages: MergedOut[];
  /** Number of the first line held, of each least level: a list keeps its place when lines are put before it. */
  start: Record<Level, number>;
  /** There are lines before and behind those held. */
  before: boolean;
  behind: boolean;
  /** Where its reading began: which opening of the log, and what of it is shown first. */
  opened: { turn: number; at: Said | "start" | "end" };
};

/** Room for pages before the first one. */
export const MIDDLE = 10_000_000;
const MOST_PAGES = 50;

const RANK: Record<Level, number> = { info: 0, warning: 1, error: 2 };
export const atLeast = (lines: readonly Said[], level: Level): Said[] => lines.filter((line) => RANK[line.level] >= RANK[level]);

function moved(start: Record<Level, number>, pages: readonly MergedOut[], sign: 1 | -1): Record<Level, number> {
  const by = (level: Level) => sign * pages.reduce((sum, page) => sum + atLeast(page.lines, level).length, 0);
  return { info: start.info + by("info"), warning: start.warning + by("warning"), error: start.error + by("error") };
}

export function firstPage(page: MergedOut, back: boolean, turn = 0): Merged {
  const start = { info: MIDDLE, warning: MIDDLE, error: MIDDLE };
  return { pages: [page], start, before: back && page.more, behind: !back && page.more, opened: { turn, at: back ? "end" : "start" } };
}

/** A page from the middle: what comes before it (or behind it, read backwards) is asked for when it is looked at. */
export function foundPage(page: MergedOut, back: boolean, turn: number, at: Said): Merged {
  return { ...firstPage(page, back), ...(back ? { behind: true } : { before: true }), opened: { turn, at } };
}

/** A page behind those held; far ones before are let go, their cursor stays. */
export function append(state: Merged, page: MergedOut): Merged {
  const kept = page.lines.length === 0 ? state.pages : [...state.pages, page];
  const gone = Math.max(0, kept.length - MOST_PAGES);
  const start = moved(state.start, kept.slice(0, gone), 1);
  return { ...state, pages: kept.slice(gone), start, before: state.before || gone > 0, behind: page.more };
}

export function prepend(state: Merged, page: MergedOut): Merged {
  const kept = page.lines.length === 0 ? state.pages : [page, ...state.pages];
  const gone = kept.length > MOST_PAGES;
  return {
    ...state,
    pages: kept.slice(0, MOST_PAGES),
    start: moved(state.start, [page], -1),
    before: page.more,
    behind: state.behind || gone,
  };
}

export const nextCursor = (state: Merged): string | null => state.pages.at(-1)?.next ?? null;
export const previousCursor = (state: Merged): string | null => state.pages[0]?.previous ?? null;

/** Lines of at least this level. */
export function linesOf(state: Merged, level: Level): Said[] {
  const all = state.pages.flatMap((page) => page.lines);
  return level === "info" ? all : atLeast(all, level);
}

/** Indexes of lines that hold the text, in any case. */
export function matchesIn(lines: readonly Said[], q: string): number[] {
  const wanted = q.toLowerCase();
  return wanted === "" ? [] : lines.flatMap((line, index) => (line.text.toLowerCase().includes(wanted) ? [index] : []));
}
