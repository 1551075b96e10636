/** What the ticket's stream says, put into the query cache: the ticket at most once in a while, node results one by one. */
import type { QueryClient } from "@tanstack/react-query";
import type { ServerEvent } from "../../lib/sse";
import { type MatrixNode, type ResultChange, withChanges } from "./matrix";
import { ticketKeys } from "./queries";
import { isRecord, type TicketEvent } from "./types";

const DETAIL_MS = 600;
const MATRIX_MS = 3000;

/** Runs at once, and once more after `ms` when it was wanted meanwhile. */
export class Throttled {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wanted = false;

  constructor(
    private readonly run: () => void,
    private readonly ms: number,
  ) {}

  mark(): void {
    if (this.timer !== undefined) {
      this.wanted = true;
      return;
    }
    this.run();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.wanted) {
        this.wanted = false;
        this.mark();
      }
    }, this.ms);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.wanted = false;
  }
}

/** Events behind which node results may have changed in ways that the stream does not send one by one. */
const TOUCH_NODES = new Set(["attempt.ended", "attempt.unknown", "attempt.resolved", "node.excluded", "step.retry", "ticket.ended"]);
const NEW_PLAN = new Set(["plan.frozen", "plan.drifted"]);

function asEvent(data: unknown): TicketEvent | null {
  return isRecord(data) && typeof data["seq"] === "number" && typeof data["kind"] === "string" ? (data as TicketEvent) : null;
}

export function asChanges(data: unknown): ResultChange[] {
  const rows = isRecord(data) && Array.isArray(data["results"]) ? data["results"] : [];
  return rows.filter(isRecord).map((row) => ({
    nodeId: String(row["node_id"]),
    step: String(row["step"]),
    n: Number(row["attempt_n"]),
    state: String(row["state"]),
    summary: String(row["summary"] ?? ""),
    error: row["error"] ?? null,
    startedAt: (row["started_at"] as string | null) ?? null,
    endedAt: (row["ended_at"] as string | null) ?? null,
  }));
}

export class TicketUpdates {
  private readonly detail: Throttled;
  private readonly matrix: Throttled;

  constructor(
    private readonly queryClient: QueryClient,
    private readonly id: string,
  ) {
    this.detail = new Throttled(() => this.stale(ticketKeys.detail(id)), DETAIL_MS);
    this.matrix = new Throttled(() => this.stale(ticketKeys.matrix(id)), MATRIX_MS);
  }

  take(event: ServerEvent): void {
    if (event.event === "nodes") this.changeNodes(asChanges(event.data));
    const happened = event.event === "ticket" ? asEvent(event.data) : null;
    if (happened) this.happened(happened);
  }

  /** The stream is away. */
  refetch(): void {
    void this.queryClient.invalidateQueries({ queryKey: ticketKeys.all(this.id) });
  }

  stop(): void {
    this.detail.stop();
    this.matrix.stop();
  }

  private stale(queryKey: readonly unknown[]): void {
    void this.queryClient.invalidateQueries({ queryKey });
  }

  private happened(event: TicketEvent): void {
    this.append(event);
    this.detail.mark();
    if (TOUCH_NODES.has(event.kind)) this.matrix.mark();
    const step = event.body["step"];
    if (NEW_PLAN.has(event.kind) && typeof step === "string") this.stale(ticketKeys.plans(this.id, step));
  }

  /** Events are gapless: the next one is appended, a gap or a repetition is settled by asking for all. */
  private append(event: TicketEvent): void {
    const key = ticketKeys.events(this.id);
    const known = this.queryClient.getQueryData<TicketEvent[]>(key);
    if (!known || known.some((one) => one.seq === event.seq)) return;
    if (event.seq === (known.at(-1)?.seq ?? 0) + 1) this.queryClient.setQueryData(key, [...known, event]);
    else this.stale(key);
  }

  private changeNodes(changes: readonly ResultChange[]): void {
    if (changes.length === 0) return;
    this.queryClient.setQueryData<MatrixNode[]>(ticketKeys.matrix(this.id), (nodes) => nodes && withChanges(nodes, changes));
    this.detail.mark();
  }
}
