/** What the addresses of the ticket pages hold: filters of the list; tab, step, node and attempt of a ticket. Pure. */
import { TICKET_STATES } from "./types";

export const TABS = ["plan", "checks", "nodes", "log", "approvals", "activity"] as const;
export type Tab = (typeof TABS)[number];

export type TicketSearch = {
  tab?: Tab;
  step?: string;
  /** Node whose results or log are open. */
  node?: string;
  attempt?: number;
  line?: number;
  /** Rounds of a plan that are compared. */
  round?: number;
  against?: number;
  /** Filter of the matrix. */
  state?: string;
  q?: string;
  /** Only checks that are not ok. */
  red?: boolean;
  /** Only what people did. */
  people?: boolean;
  /** The decision panel is open. */
  decide?: boolean;
};

type Raw = Record<string, unknown>;

const text = (raw: Raw, key: string): string | undefined => {
  const value = raw[key];
  if (typeof value === "string" && value !== "") return value;
  return typeof value === "number" ? String(value) : undefined;
};

const count = (raw: Raw, key: string): number | undefined => {
  const value = Number(raw[key]);
  return raw[key] !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
};

const flag = (raw: Raw, key: string): boolean | undefined => (raw[key] === true || raw[key] === "true" ? true : undefined);

function without<T extends object>(found: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as T;
}

export function readTicketSearch(raw: Raw): TicketSearch {
  return without<TicketSearch>({
    tab: TABS.find((tab) => tab === raw["tab"]),
    step: text(raw, "step"),
    node: text(raw, "node"),
    attempt: count(raw, "attempt"),
    line: count(raw, "line"),
    round: count(raw, "round"),
    against: count(raw, "against"),
    state: text(raw, "state"),
    q: text(raw, "q"),
    red: flag(raw, "red"),
    people: flag(raw, "people"),
    decide: flag(raw, "decide"),
  } as { [Key in keyof TicketSearch]: TicketSearch[Key] | undefined });
}

export const SORTS = ["-number", "number", "-created_at", "created_at", "-ended_at", "ended_at", "state", "-state"] as const;

export type ListSearch = {
  state?: string;
  flow?: string;
  cluster?: string;
  requester?: string;
  q?: string;
  sort?: string;
};

export function readListSearch(raw: Raw): ListSearch {
  return without<ListSearch>({
    state: text(raw, "state"),
    flow: text(raw, "flow"),
    cluster: text(raw, "cluster"),
    requester: text(raw, "requester"),
    q: text(raw, "q"),
    sort: SORTS.find((sort) => sort === raw["sort"]),
  } as { [Key in keyof ListSearch]: ListSearch[Key] | undefined });
}

/** States of the address, known ones only: an address that somebody edited must not break the list. */
export function statesOf(search: ListSearch): string[] {
  const known = new Set<string>(TICKET_STATES);
  return (search.state ?? "").split(",").filter((state) => known.has(state));
}

/** Filters as the api takes them. A number finds the ticket, other words its summary. */
export function filtersOf(search: ListSearch): string[] {
  const found: string[] = [];
  const states = statesOf(search);
  if (states.length > 0) found.push(`state:in:${states.join(",")}`);
  if (search.flow) found.push(`flow_name:eq:${search.flow}`);
  if (search.cluster) found.push(`scope_id:eq:${search.cluster}`);
  if (search.requester) found.push(`requester_id:eq:${search.requester}`);
  const words = search.q?.trim().replace(/^#/, "") ?? "";
  if (/^\d{1,15}$/.test(words)) found.push(`number:eq:${words}`);
  else if (words !== "") found.push(`summary:contains:${words}`);
  return found;
}

/** A ticket's address holds its number; links from elsewhere may hold its id. */
export function numberIn(ref: string): number | null {
  return /^\d{1,15}$/.test(ref) ? Number(ref) : null;
}
