import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { makeNode } from "../../test/tickets";
import { asChanges, Throttled, TicketUpdates } from "./live-updates";
import { type MatrixNode, latest, toMatrix } from "./matrix";
import { ticketKeys } from "./queries";

const ID = "t";
const event = (seq: number, kind = "step.state", body: Record<string, unknown> = {}) => ({
  id: String(seq),
  event: "ticket",
  data: { seq, kind, body, at: "", actor_type: "system", actor_id: null, prev_hash: "", hash: `h${seq}` },
});

describe("throttling", () => {
  beforeEach(() => void vi.useFakeTimers());

  it("runs at once, and once more for all that came meanwhile", () => {
    const run = vi.fn();
    const throttled = new Throttled(run, 100);
    for (let count = 0; count < 5; count += 1) throttled.mark();
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("does nothing more once it is stopped", () => {
    const run = vi.fn();
    const throttled = new Throttled(run, 100);
    throttled.mark();
    throttled.mark();
    throttled.stop();
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });
});

describe("the ticket's stream", () => {
  let queryClient: QueryClient;
  const stale = vi.fn<QueryClient["invalidateQueries"]>();
  const keys = () => stale.mock.calls.map(([filter]) => JSON.stringify(filter?.queryKey));
  let updates: TicketUpdates;

  beforeEach(() => {
    queryClient = new QueryClient();
    stale.mockReset();
    stale.mockResolvedValue();
    queryClient.invalidateQueries = stale;
    vi.useFakeTimers();
    updates = new TicketUpdates(queryClient, ID);
  });

  it("asks for the ticket again, and for its nodes only when they may have changed", () => {
    updates.take(event(5));
    expect(keys()).toEqual([JSON.stringify(ticketKeys.detail(ID))]);
    updates.take(event(6, "attempt.ended"));
    expect(keys()).toContain(JSON.stringify(ticketKeys.matrix(ID)));
  });

  it("makes a step's plans stale when a new one is frozen", () => {
    updates.take(event(5, "plan.frozen", { step: "join" }));
    expect(keys()).toContain(JSON.stringify(ticketKeys.plans(ID, "join")));
  });

  it("appends the next event, keeps a known one, and asks again at a gap", () => {
    const events = ticketKeys.events(ID);
    queryClient.setQueryData(events, [event(1).data]);
    updates.take(event(2));
    updates.take(event(2));
    expect(queryClient.getQueryData<unknown[]>(events)).toHaveLength(2);
    expect(keys()).not.toContain(JSON.stringify(events));
    updates.take(event(9));
    expect(keys()).toContain(JSON.stringify(events));
  });

  it("puts node results into the matrix without asking", () => {
    queryClient.setQueryData(ticketKeys.matrix(ID), toMatrix([makeNode("a"), makeNode("b")]));
    const cell = { node_id: "b", step: "join", attempt_n: 2, state: "FAILED", summary: "no", error: null, started_at: "2026-11-25T21:00:00Z", ended_at: null };
    updates.take({ id: "5;;x", event: "nodes", data: { results: [cell] } });
    const nodes = queryClient.getQueryData<MatrixNode[]>(ticketKeys.matrix(ID))!;
    expect(nodes.map((node) => latest(node, "join")?.state ?? null)).toEqual([null, "FAILED"]);
    expect(keys()).not.toContain(JSON.stringify(ticketKeys.matrix(ID)));
  });

  it("ignores what it does not know", () => {
    updates.take({ id: null, event: "log", data: { text: "x" } });
    updates.take({ id: null, event: "ticket", data: "nonsense" });
    updates.take({ id: null, event: "nodes", data: { results: "nonsense" } });
    expect(keys()).toEqual([]);
    expect(asChanges(null)).toEqual([]);
  });

  it("asks for everything of the ticket when the stream is away", () => {
    updates.refetch();
    expect(keys()).toEqual([JSON.stringify(ticketKeys.all(ID))]);
  });
});
