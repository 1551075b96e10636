/** Every request about logs. Keys begin with `ticket`: the page's own stream keeps them fresh, not the hints. */
import { queryOptions } from "@tanstack/react-query";
import { findFirstError, listLogs, readLogLines, readMergedLog, searchLog } from "../../../api/client";
import type { Level, LogStream } from "./log-sources";

export const logKeys = {
  streams: (ticketId: string) => ["ticket", ticketId, "logs"] as const,
};

export const streamsQuery = (ticketId: string) =>
  queryOptions({
    queryKey: logKeys.streams(ticketId),
    queryFn: async ({ signal }): Promise<LogStream[]> => listLogs({ path: { ticket_id: ticketId }, signal }),
    // Read anew when the log is opened: what happened meanwhile was told to nobody.
    staleTime: 0,
  });

const pathOf = (ticketId: string, stream_id: string) => ({ ticket_id: ticketId, stream_id });

export const readLines = (ticketId: string, streamId: string, from_line: number, count: number) =>
  readLogLines({ path: pathOf(ticketId, streamId), query: { from_line, count } });

export type Wanted = { q: string; level: Level };

export const findLines = (ticketId: string, streamId: string, wanted: Wanted, from_line: number, signal: AbortSignal) =>
  searchLog({ path: pathOf(ticketId, streamId), query: { ...wanted, from_line, limit: 10_000 }, signal });

export const firstErrorOf = (ticketId: string, streamId: string) => findFirstError({ path: pathOf(ticketId, streamId) });

export const readMerged = (ticketId: string, step: string, cursor: string | null, direction: "forward" | "back") =>
  readMergedLog({ path: { ticket_id: ticketId }, query: { step, cursor, direction } });

export type At = { cursor: string | null; direction: "forward" | "back" };

/** The next page that has a wanted line; one without lines, with `more`, says from where to go on. */
export const findMerged = (ticketId: string, step: string, wanted: Wanted, at: At, signal: AbortSignal) =>
  readMergedLog({ path: { ticket_id: ticketId }, query: { step, ...wanted, ...at }, signal });

const base = (ticketId: string) => `/api/v1/tickets/${encodeURIComponent(ticketId)}`;
export const fileUrl = (ticketId: string, streamId: string) => `${base(ticketId)}/logs/${streamId}/file`;
export const zipUrl = (ticketId: string) => `${base(ticketId)}/logs.zip`;

/** The page's stream with the sizes of logs in it. `after`: the last event that the page has read. */
export const streamUrl = (ticketId: string, after: number) =>
  `${base(ticketId)}/stream?logs=false&counts=true&nodes=true&after=${after}`;
