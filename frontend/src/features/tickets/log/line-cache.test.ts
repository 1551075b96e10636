import { describe, expect, it, vi } from "vitest";
import { LineCache, type LinePage } from "./line-cache";

const line = (n: number) => ({ n, at: null, level: "info" as const, text: `line ${n}`, cut: false });

/** A log of `state.total` lines that answers at once and remembers what it was asked. */
function serverOf(state: { total: number; closed: boolean; most?: number }) {
  return vi.fn(async (from: number, count: number): Promise<LinePage> => {
    const n = Math.max(0, Math.min(count, state.most ?? count, state.total - from + 1));
    return { lines: Array.from({ length: n }, (_, index) => line(from + index)), total: state.total, closed: state.closed };
  });
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("lines by number", () => {
  it("fetches the windows that are looked at, each once", async () => {
    const fetch = serverOf({ total: 1_000_000, closed: true });
    const cache = new LineCache(fetch, 1_000_000, true, 500);
    cache.want([700_010, 700_011, 700_499, 700_501]);
    cache.want([700_010, 700_501]);
    expect(cache.get(700_010)).toBeNull();
    await settle();
    expect(fetch.mock.calls).toEqual([[700_001, 500], [700_501, 500]]);
    expect(cache.get(700_501)?.text).toBe("line 700501");
    expect(cache.get(699_999)).toBeNull();
  });

  it("holds a bounded part of the log and fetches again what was let go", async () => {
    const fetch = serverOf({ total: 100_000, closed: true });
    const cache = new LineCache(fetch, 100_000, true, 500);
    for (let n = 1; n < 100_000; n += 500) {
      cache.want([n]);
      await settle();
    }
    expect(fetch).toHaveBeenCalledTimes(200);
    expect(cache.get(1)).toBeNull();
    expect(cache.get(99_999)).not.toBeNull();
    cache.want([1]);
    await settle();
    expect(cache.get(1)?.n).toBe(1);
  });

  it("forgets wishes of places that were only passed", async () => {
    const fetch = serverOf({ total: 1_000_000, closed: true });
    const cache = new LineCache(fetch, 1_000_000, true, 500);
    cache.want(Array.from({ length: 40 }, (_, index) => index * 500 + 1));
    cache.want([900_001]);
    await settle();
    expect(fetch.mock.calls.map(([from]) => from)).toEqual([1, 501, 1001, 1501, 900_001]);
  });

  it("fetches only new lines when the log has grown, and tells their number with them", async () => {
    const state = { total: 620, closed: false };
    const fetch = serverOf(state);
    const cache = new LineCache(fetch, 620, false, 500);
    cache.want([501, 620]);
    await settle();
    state.total = 640;
    const grew = cache.refresh();
    expect(cache.total).toBe(620);
    await grew;
    expect(cache.total).toBe(640);
    expect(cache.get(640)?.text).toBe("line 640");
    expect(fetch.mock.lastCall).toEqual([621, 380]);
  });

  it("asks for the rest where very long lines made a page short", async () => {
    const cache = new LineCache(serverOf({ total: 500, closed: true, most: 200 }), 500, true, 500);
    cache.want([450]);
    for (let round = 0; round < 5; round += 1) await settle();
    expect(cache.get(450)?.n).toBe(450);
  });

  it("keeps a refusal until somebody tries again", async () => {
    const fetch = serverOf({ total: 10, closed: true });
    fetch.mockRejectedValueOnce(new Error("away"));
    const cache = new LineCache(fetch, 10, true, 500);
    cache.want([1]);
    await settle();
    cache.want([1]);
    await settle();
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(cache.error).toEqual(new Error("away"));
    cache.retry();
    await settle();
    expect(cache.error).toBeNull();
    expect(cache.get(10)?.n).toBe(10);
  });
});
