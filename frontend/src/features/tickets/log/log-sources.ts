/** Which log is looked at: a node's, a run's own, or all of a step merged. Pure. */
import type { LineOut, LogStreamOut } from "../../../api/client";

export type LogStream = LogStreamOut;
export type Line = LineOut;
export type Level = Line["level"];

/** What the address says. Neither node nor run: the step as a whole. */
export type Choice = { step?: string | undefined; nodeId?: string | undefined; attempt?: number | undefined };

/** `fallback`: the node has no log of its own there, this is the run's. */
export type Source =
  | { kind: "stream"; stream: LogStream; fallback: boolean }
  | { kind: "merged"; step: string }
  | { kind: "none" };

/** The run's own log first, then nodes by name. */
export function streamsOf(streams: readonly LogStream[], step: string, attempt?: number): LogStream[] {
  return streams.filter((one) => one.step === step && (attempt === undefined || one.attempt_n === attempt));
}

const latest = (streams: readonly LogStream[]): LogStream | undefined =>
  streams.reduce<LogStream | undefined>((best, one) => (best && best.attempt_n >= one.attempt_n ? best : one), undefined);

/** The step that the choice names, or the last one that has said something. */
export function stepOf(streams: readonly LogStream[], choice: Choice): string | null {
  return choice.step ?? streams.at(-1)?.step ?? null;
}

export function sourceOf(streams: readonly LogStream[], choice: Choice): Source {
  const step = stepOf(streams, choice);
  if (step === null) return { kind: "none" };
  const here = streamsOf(streams, step, choice.attempt);
  if (here.length === 0) return { kind: "none" };
  if (choice.nodeId !== undefined) {
    const own = latest(here.filter((one) => one.node_id === choice.nodeId));
    if (own) return { kind: "stream", stream: own, fallback: false };
    const common = latest(here.filter((one) => one.node_id === null));
    return common ? { kind: "stream", stream: common, fallback: true } : { kind: "none" };
  }
  if (choice.attempt !== undefined) {
    const common = here.find((one) => one.node_id === null);
    if (common) return { kind: "stream", stream: common, fallback: false };
  }
  return here.length === 1 ? { kind: "stream", stream: here[0]!, fallback: false } : { kind: "merged", step };
}

/** Runs of a step that have logs, newest first. */
export function attemptsOf(streams: readonly LogStream[], step: string): Array<{ n: number; purpose: string }> {
  const found = new Map(streamsOf(streams, step).map((one) => [one.attempt_n, one.purpose]));
  return [...found].map(([n, purpose]) => ({ n, purpose })).sort((one, other) => other.n - one.n);
}

/** Steps that have logs, in the order of their first log. */
export function stepsOf(streams: readonly LogStream[]): string[] {
  return [...new Set(streams.map((one) => one.step))];
}

/** Nodes with a log in a step (and run), those with errors first. */
export function nodesOf(streams: readonly LogStream[], step: string, attempt?: number): Array<{ id: string; failed: boolean }> {
  const found = new Map<string, boolean>();
  for (const one of streamsOf(streams, step, attempt)) {
    if (one.node_id !== null) found.set(one.node_id, (found.get(one.node_id) ?? false) || one.first_error_line !== null);
  }
  return [...found].map(([id, failed]) => ({ id, failed })).sort((one, other) => Number(other.failed) - Number(one.failed));
}

/** Logs of a step with an error in them, newest run first: where "first error" looks when all are merged. */
export function failedStreams(streams: readonly LogStream[], step: string): LogStream[] {
  const failed = streamsOf(streams, step).filter((one) => one.first_error_line !== null);
  const last = Math.max(...failed.map((one) => one.attempt_n));
  return failed.filter((one) => one.attempt_n === last);
}

export type Growth = { streams: Array<Pick<LogStream, "id" | "bytes" | "lines" | "first_error_line">>; all: boolean };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** What the stream says of logs that have grown. */
export function asGrowth(data: unknown): Growth | null {
  if (!isRecord(data) || !Array.isArray(data["streams"])) return null;
  const streams = data["streams"].filter(isRecord).map((row) => ({
    id: String(row["stream_id"]),
    bytes: Number(row["bytes"]),
    lines: Number(row["lines"]),
    first_error_line: typeof row["first_error_line"] === "number" ? row["first_error_line"] : null,
  }));
  return { streams, all: data["all"] === true };
}

/** The list with what has grown; null when a log is new and the list must be read again. */
export function grown(streams: readonly LogStream[], growth: Growth): LogStream[] | null {
  const changes = new Map(growth.streams.map((one) => [one.id, one]));
  const known = streams.filter((one) => changes.has(one.id)).length;
  if (growth.all || known < changes.size) return null;
  return streams.map((one) => ({ ...one, ...changes.get(one.id) }));
}
