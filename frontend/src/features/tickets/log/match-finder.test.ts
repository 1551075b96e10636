import { describe, expect, it, vi } from "vitest";
import { type FoundPage, indexFrom, MatchFinder, pieces, placeOf, stepFrom } from "./match-finder";

const page = (lines: number[], next_line: number | null, searched: number): FoundPage => ({ lines, next_line, searched });

describe("search", () => {
  it("goes on until the end of the log, and from there when the log has grown", async () => {
    const find = vi
      .fn()
      .mockResolvedValueOnce(page([3, 40], 51, 100))
      .mockResolvedValueOnce(page([99], null, 100))
      .mockResolvedValueOnce(page([101], null, 120));
    const finder = new MatchFinder(find);
    await finder.reach(100);
    expect(finder.lines).toEqual([3, 40, 99]);
    await finder.reach(100);
    expect(find).toHaveBeenCalledTimes(2);
    await finder.reach(120);
    expect(find.mock.calls.map(([from]) => from)).toEqual([1, 51, 101]);
    expect(finder.lines).toEqual([3, 40, 99, 101]);
  });

  it("knows of a match with the first one, and of none at the end", async () => {
    let answer: (page: FoundPage) => void = () => undefined;
    const finder = new MatchFinder(() => new Promise((resolve) => (answer = resolve)));
    const done = finder.reach(100);
    expect(finder.knows).toBe(false);
    answer(page([], 51, 100));
    await vi.waitFor(() => expect(finder.snapshot()).toBe(2));
    expect(finder.knows).toBe(false);
    answer(page([60], null, 100));
    await done;
    expect(finder.knows).toBe(true);
    const none = new MatchFinder(async () => page([], null, 100));
    expect(none.knows).toBe(false);
    await none.reach(100);
    expect(none.knows).toBe(true);
  });

  it("says when it has left matches out", async () => {
    const finder = new MatchFinder(async (from) => page([from, from + 1, from + 2], from + 3, 1000), 5);
    await finder.reach(1000);
    expect(finder.lines).toEqual([1, 2, 3, 4, 5]);
    expect(finder.full).toBe(true);
  });

  it("ends with its last listener, and keeps a refusal until somebody tries again", async () => {
    const signals: AbortSignal[] = [];
    const finder = new MatchFinder((_from, signal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    const leave = finder.subscribe(() => undefined);
    void finder.reach(10);
    leave();
    expect(signals[0]?.aborted).toBe(true);
    const refused = new MatchFinder(vi.fn().mockRejectedValueOnce("no").mockResolvedValue(page([2], null, 9)));
    await refused.reach(9);
    expect(refused.problem).toBe("no");
    refused.retry(9);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect([refused.problem, refused.lines]).toEqual([null, [2]]);
  });
});

describe("the cursor of a search", () => {
  const found = [5, 10, 200];

  it("steps from where the reader is, round both ends", () => {
    expect([stepFrom(found, 0, false), stepFrom(found, 5, false), stepFrom(found, 200, false)]).toEqual([5, 10, 5]);
    expect([stepFrom(found, 11, true), stepFrom(found, 5, true)]).toEqual([10, 200]);
    expect(stepFrom([], 5, false)).toBeNull();
  });

  it("knows which match a line is", () => {
    expect([placeOf(found, 10), placeOf(found, 11), placeOf(found, null)]).toEqual([2, 0, 0]);
    expect([indexFrom(found, 1), indexFrom(found, 6), indexFrom(found, 999)]).toEqual([0, 1, 3]);
  });

  it("marks what was looked for, in any case, and nothing else", () => {
    expect(pieces("Error: no error", "error")).toEqual(["", "Error", ": no ", "error", ""]);
    expect(pieces("<b>a.c</b>", "a.")).toEqual(["<b>", "a.", "c</b>"]);
    expect(pieces("İx", "x")).toEqual(["İx"]);
    expect(pieces("plain", "")).toEqual(["plain"]);
  });
});
