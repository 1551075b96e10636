import { describe, expect, it } from "vitest";
import type { MergedOut } from "../../../api/client";
import { follow, newLines, startFollow } from "./follow";
import { asGrowth, attemptsOf, failedStreams, grown, type LogStream, nodesOf, sourceOf } from "./log-sources";
import { MergedFeed } from "./merged-feed";
import { append, firstPage, linesOf, matchesIn, MIDDLE, prepend } from "./merged-pages";
import { baseFor, MOST, sizeOf } from "./segments";
import { actionFor } from "./use-log-keys";

const stream = (id: string, changes: Partial<LogStream> = {}): LogStream => ({
  id,
  step: "join",
  attempt_n: 2,
  purpose: "RUN",
  node_id: null,
  bytes: 100,
  lines: 10,
  first_error_line: null,
  sha256: null,
  closed_at: null,
  ...changes,
});

describe("following", () => {
  it("counts what came while the reader was away", () => {
    let state = follow(startFollow(100, true), { kind: "grew", total: 120 });
    expect(newLines(state)).toBe(0);
    state = follow(follow(state, { kind: "away" }), { kind: "grew", total: 150 });
    expect(newLines(state)).toBe(30);
    expect(newLines(follow(state, { kind: "bottom", open: true }))).toBe(0);
    expect(follow(state, { kind: "bottom", open: true }).on).toBe(true);
    expect(follow(state, { kind: "bottom", open: false }).on).toBe(false);
    expect(follow(state, { kind: "toggle" })).toEqual({ on: true, seen: 150, total: 150 });
  });
});

describe("which log", () => {
  const all = [
    stream("plan", { attempt_n: 1, purpose: "PLAN" }),
    stream("run"),
    stream("a", { node_id: "n1" }),
    stream("b", { node_id: "n2", first_error_line: 4 }),
    stream("again", { attempt_n: 3, node_id: "n2", first_error_line: 9 }),
  ];
  const id = (choice: Parameters<typeof sourceOf>[1]) => {
    const source = sourceOf(all, choice);
    return source.kind === "stream" ? `${source.stream.id}${source.fallback ? " instead" : ""}` : source.kind;
  };

  it("takes the node's newest log, or the run's where it has none", () => {
    expect(id({ step: "join", nodeId: "n2" })).toBe("again");
    expect(id({ step: "join", nodeId: "n2", attempt: 2 })).toBe("b");
    expect(id({ step: "join", nodeId: "n9", attempt: 2 })).toBe("run instead");
    expect(id({ step: "join", nodeId: "n9", attempt: 3 })).toBe("none");
  });

  it("merges a step, but not a single log", () => {
    expect(id({ step: "join" })).toBe("merged");
    expect(id({})).toBe("merged");
    expect(id({ step: "join", attempt: 2 })).toBe("run");
    expect(id({ step: "join", attempt: 3 })).toBe("again");
    expect(id({ step: "other" })).toBe("none");
  });

  it("offers what is there, errors first", () => {
    expect(nodesOf(all, "join").map((node) => node.id)).toEqual(["n2", "n1"]);
    expect(attemptsOf(all, "join").map((run) => run.n)).toEqual([3, 2, 1]);
    expect(failedStreams(all, "join").map((one) => one.id)).toEqual(["again"]);
  });

  it("takes over growth, and notices a log that it does not know", () => {
    const told = asGrowth({ streams: [{ stream_id: "run", bytes: 300, lines: 30, first_error_line: 7 }], all: false })!;
    expect(grown(all, told)?.[1]).toEqual(stream("run", { bytes: 300, lines: 30, first_error_line: 7 }));
    expect(grown([], told)).toBeNull();
    expect(grown(all, { streams: [], all: true })).toBeNull();
    expect(asGrowth({ nothing: 1 })).toBeNull();
  });
});

const page = (from: number, to: number, more: boolean, level: "info" | "error" = "info"): MergedOut => ({
  lines: Array.from({ length: to - from + 1 }, (_, index) => ({
    n: from + index,
    at: null,
    level,
    text: `said ${from + index}`,
    cut: false,
    stream_id: "s",
    node_id: null,
    attempt_n: 2,
  })),
  previous: `p${from}`,
  next: `n${to}`,
  more,
});

describe("the merged log", () => {
  it("keeps the place of its lines when others come before them, whatever the level shown", () => {
    const first = firstPage(page(11, 20, true), true);
    expect([first.before, first.behind]).toEqual([true, false]);
    const more = prepend(first, page(1, 10, false, "error"));
    expect(more.start).toEqual({ info: MIDDLE - 10, warning: MIDDLE - 10, error: MIDDLE - 10 });
    expect(prepend(first, page(1, 10, false)).start).toEqual({ info: MIDDLE - 10, warning: MIDDLE, error: MIDDLE });
    expect(linesOf(more, "info").map((line) => line.n)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(linesOf(more, "warning")).toHaveLength(10);
    expect(matchesIn(linesOf(more, "info"), "SAID 2")).toEqual([1, 19]);
  });

  it("lets far pages go and says that there are lines before", () => {
    let state = firstPage(page(1, 10, true), false);
    for (let n = 1; n < 60; n += 1) state = append(state, page(n * 10 + 1, n * 10 + 10, true));
    expect(state.pages).toHaveLength(50);
    expect(state.before).toBe(true);
    expect(state.start.info).toBe(MIDDLE + 100);
    expect(linesOf(state, "info")[0]?.n).toBe(101);
  });

  it("asks once for what is wanted twice, and leaves growth for later when nobody follows", async () => {
    const asked: Array<string | null> = [];
    const feed = new MergedFeed(async (cursor) => {
      asked.push(cursor);
      return cursor === null ? page(1, 3, false) : page(4, 5, false);
    });
    await Promise.all([feed.open(false), feed.open(false)]);
    await feed.grew(false);
    expect(feed.snapshot()?.behind).toBe(true);
    await feed.forward();
    expect(asked).toEqual([null, "n3"]);
    expect(linesOf(feed.snapshot()!, "info")).toHaveLength(5);
  });
});

describe("a search beyond what is held of the merged log", () => {
  const feedAt = async (more: boolean) => {
    const feed = new MergedFeed(async () => page(11, 20, more));
    await feed.open(false);
    return feed;
  };
  const fourth = (found: MergedOut) => found.lines[3]!;
  const nothing = (cursor: string, more: boolean): MergedOut => ({ lines: [], next: cursor, previous: cursor, more });

  it("goes on until a page has a match, which then stands alone with more on both sides", async () => {
    const [feed, asked] = [await feedAt(true), [] as Array<string | null>];
    const answers = [nothing("n40", true), nothing("n60", true), page(61, 70, false)];
    const find = async (cursor: string | null) => {
      asked.push(cursor);
      return answers.shift()!;
    };
    expect(await feed.seek(find, fourth, "n20", false, new AbortController().signal)).toBe("found");
    expect(asked).toEqual(["n20", "n40", "n60"]);
    const held = feed.snapshot()!;
    expect(linesOf(held, "info")[0]?.n).toBe(61);
    expect([held.before, held.behind, held.opened]).toEqual([true, false, { turn: 2, at: held.pages[0]!.lines[3] }]);
  });

  it("keeps what is held when there is nothing, when it is given up, and when it fails", async () => {
    const feed = await feedAt(true);
    const held = feed.snapshot();
    expect(await feed.seek(async () => nothing("n90", false), fourth, "n20", false, new AbortController().signal)).toBe("none");
    const work = new AbortController();
    const late = async () => {
      work.abort();
      return page(61, 70, false);
    };
    expect(await feed.seek(late, fourth, "n20", false, work.signal)).toBe("stopped");
    expect(feed.problem()).toBeNull();
    const refused = new Error("refused");
    expect(await feed.seek(() => Promise.reject(refused), fourth, null, true, new AbortController().signal)).toBe("stopped");
    expect(feed.problem()).toBe(refused);
    expect(feed.snapshot()).toBe(held);
  });
});

describe("parts of very long logs", () => {
  it("shows up to a million lines at once, and every line in some part", () => {
    expect([baseFor(900_000, MOST), sizeOf(0, 5)]).toEqual([0, 5]);
    for (const n of [1, 500_001, 1_000_000, 1_250_000, 2_700_000, 3_000_001]) {
      const base = baseFor(n, 3_000_001);
      expect(n).toBeGreaterThan(base);
      expect(n).toBeLessThanOrEqual(base + sizeOf(base, 3_000_001));
    }
  });
});

describe("keys", () => {
  it("work in the log and nowhere where somebody types", () => {
    const region = document.createElement("div");
    const input = document.createElement("input");
    const outside = document.createElement("button");
    region.append(input);
    document.body.append(region, outside);
    const press = (key: string, target: Element, extra: KeyboardEventInit = {}) => {
      let action: string | null = null;
      const listen = (event: KeyboardEvent) => (action = actionFor(event, region));
      document.addEventListener("keydown", listen, { once: true });
      target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...extra }));
      return action;
    };
    expect(press("n", region)).toBe("next");
    expect(press("N", document.body)).toBe("previous");
    expect(press("n", input)).toBeNull();
    expect(press("n", outside)).toBeNull();
    expect(press("f", region, { ctrlKey: true })).toBeNull();
  });
});
