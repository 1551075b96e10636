import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backOff, Connection, type ConnectionState } from "./connection";
import { type readStream, StreamRefused } from "./sse";

type Options = Parameters<typeof readStream>[1];
type Attempt = { options: Options; end: (error?: unknown) => void };

function started() {
  const attempts: Attempt[] = [];
  const states: ConnectionState[] = [];
  const read: typeof readStream = (_url, options) =>
    new Promise<void>((resolve, reject) => {
      attempts.push({ options, end: (error) => (error === undefined ? resolve() : reject(error as Error)) });
    });
  const seen: unknown[] = [];
  const onPoll = vi.fn();
  const connection = new Connection("/stream", {
    read,
    onPoll,
    onState: (state) => states.push(state),
    onEvent: (event) => seen.push(event.data),
  });
  connection.open();
  return { attempts, states, seen, onPoll, connection };
}

const lost = new TypeError("network");

describe("Connection", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("resumes behind the last event after a loss", async () => {
    const { attempts, states, seen } = started();
    attempts[0]!.options.onOpen();
    attempts[0]!.options.onEvent({ id: "7", event: "x", data: "a" });
    attempts[0]!.end(lost);
    await vi.advanceTimersByTimeAsync(1000);
    expect(attempts[0]!.options.signal.aborted).toBe(true);
    expect(attempts[1]!.options.lastEventId).toBe("7");
    attempts[1]!.options.onOpen();
    expect(states).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(seen).toEqual(["a"]);
  });

  it("takes the end that the server gives as no failure", async () => {
    const { attempts, states } = started();
    attempts[0]!.options.onOpen();
    attempts[0]!.end();
    await vi.advanceTimersByTimeAsync(200);
    attempts[1]!.options.onOpen();
    expect(states).toEqual(["connecting", "live"]);
  });

  it("polls after three failures, tries on, and stops polling when it is back", async () => {
    const { attempts, states, onPoll } = started();
    for (let at = 0; at < 3; at += 1) {
      attempts[at]!.end(lost);
      await vi.advanceTimersByTimeAsync(at < 2 ? 2000 : 0);
    }
    expect(states.at(-1)).toBe("polling");
    expect(onPoll).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onPoll).toHaveBeenCalledTimes(2);
    attempts.at(-1)!.options.onOpen();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(onPoll).toHaveBeenCalledTimes(2);
    expect(states.at(-1)).toBe("live");
  });

  it("notices a connection that has gone silent", async () => {
    const { attempts, states } = started();
    attempts[0]!.options.onOpen();
    await vi.advanceTimersByTimeAsync(30_000);
    attempts[0]!.options.onSign();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(states.at(-1)).toBe("live");
    await vi.advanceTimersByTimeAsync(11_000);
    expect(attempts[0]!.options.signal.aborted).toBe(true);
    expect(attempts.length).toBe(2);
  });

  it("does not hammer a stream that it may not read", async () => {
    const { attempts, onPoll } = started();
    attempts[0]!.end(new StreamRefused(403));
    await vi.advanceTimersByTimeAsync(25_000);
    expect(attempts.length).toBe(1);
    expect(onPoll).toHaveBeenCalledTimes(3);
  });

  it("is silent once it is closed", async () => {
    const { attempts, connection, seen, states } = started();
    connection.close();
    attempts[0]!.options.onEvent({ id: "1", event: "x", data: "late" });
    attempts[0]!.end(lost);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([attempts.length, seen, states.at(-1)]).toEqual([1, [], "off"]);
  });

  it("waits longer each time, up to half a minute, and never the same", () => {
    expect([1, 2, 3, 20].map((failures) => backOff(failures, () => 1))).toEqual([500, 1000, 2000, 30_000]);
    expect(backOff(3, () => 0)).toBe(1000);
  });
});
