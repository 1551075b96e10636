/** The api's answers about a ticket, narrowed where its description leaves JSON open. */
import type { AttemptOut, EventOut, GateOut, PlanOut, SeenOut, StepOut, TicketDetail, TicketNodeOut, TicketOut, Words } from "../../api/client";

export type ActionKey = keyof TicketDetail["actions"];
export type Gate = GateOut;
export type Attempt = AttemptOut;
export type Step = StepOut;
export type Ticket = TicketDetail;
/** Which plan, by step, this person has been shown last. */
export type Seen = SeenOut;
export type Progress = TicketOut["progress"];

/** A ticket as lists show it. */
export type TicketRow = TicketOut;
export type TicketEvent = EventOut;
export type Plan = PlanOut;
export type TicketNode = TicketNodeOut;

/** The one result of a step that runs once for the whole ticket. */
export const WHOLE = "*";

export const TICKET_STATES = [
  "QUEUED",
  "ACTIVE",
  "PAUSED",
  "ATTENTION",
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
  "REJECTED",
  "EXPIRED",
] as const;

export const ENDED = new Set(["SUCCEEDED", "FAILED", "CANCELLED", "REJECTED", "EXPIRED"]);

/** A blocking or warning finding of a plan. */
export type PlanProblem = { code: string; node: string | null; seen: Words; remedy: Words; blocking: boolean };

/** What an error of a node or of planning says of itself. */
export type ErrorBody = { code: string; cause: Words; remedy: Words; field?: string | null };

export function isWords(value: unknown): value is Words {
  return isRecord(value) && typeof value["zh"] === "string" && typeof value["en"] === "string";
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asError(value: unknown): ErrorBody | null {
  if (!isRecord(value) || typeof value["code"] !== "string" || !isWords(value["cause"])) return null;
  return { code: value["code"], cause: value["cause"], remedy: isWords(value["remedy"]) ? value["remedy"] : { zh: "", en: "" } };
}

export function asProblems(list: ReadonlyArray<Record<string, unknown>>): PlanProblem[] {
  return list.flatMap((one) =>
    typeof one["code"] === "string" && isWords(one["seen"])
      ? [
          {
            code: one["code"],
            node: typeof one["node"] === "string" ? one["node"] : null,
            seen: one["seen"],
            remedy: isWords(one["remedy"]) ? one["remedy"] : { zh: "", en: "" },
            blocking: one["blocking"] === true,
          },
        ]
      : [],
  );
}
