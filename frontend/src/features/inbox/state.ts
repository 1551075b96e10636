/** What of the inbox may be decided, and how its keys move. Pure. */
import type { InboxGateOut, InboxRowOut } from "../../api/client";

export type Row = InboxRowOut;
export type Gate = InboxGateOut;
export type Verdict = "approve" | "reject";

export const TABS = ["approve", "mine", "failed", "running", "watching", "done"] as const;
export type Tab = (typeof TABS)[number];
export type InboxSearch = { tab?: Tab };

export function readInboxSearch(raw: Record<string, unknown>): InboxSearch {
  const tab = TABS.find((one) => one === raw["tab"]);
  return tab ? { tab } : {};
}

/** Gates that this person signs with one decision: those he may sign, all in his own right or all for one other. */
export function signable(row: Row): Gate[] {
  const open = row.gates.filter((gate) => gate.may_sign);
  return open.filter((gate) => gate.acting_for === open[0]?.acting_for);
}

/** Since when somebody has been waiting for the caller; the oldest of the gates. */
export function waitingSince(row: Row): string | null {
  return row.gates.reduce<string | null>((oldest, gate) => (oldest === null || gate.opened_at < oldest ? gate.opened_at : oldest), null);
}

const LATE_MS = 24 * 60 * 60_000;

/** Waiting for longer than a day: nobody should. */
export const late = (since: string | null, now: number): boolean => since !== null && now - Date.parse(since) > LATE_MS;

export type Item = {
  ticket_id: string;
  gates: Array<{ gate_id: string; subject_hash: string }>;
  acting_for: string | null;
};

/** What is sent for one ticket. A rejection of one gate ends the matter, so it names only the first. */
export function itemOf(row: Row, decision: Verdict): Item {
  const gates = signable(row);
  return {
    ticket_id: row.ticket.id,
    gates: (decision === "reject" ? gates.slice(0, 1) : gates).map(({ gate_id, subject_hash }) => ({ gate_id, subject_hash })),
    acting_for: gates[0]?.acting_for ?? null,
  };
}

export type Key = "next" | "previous" | "approve" | "reject" | "open" | "select" | "help";

const KEYS: Record<string, Key> = { j: "next", k: "previous", a: "approve", r: "reject", Enter: "open", " ": "select", "?": "help" };

/** What a key means; nothing where somebody types or a dialog is open, nor where a button takes the key itself. */
export function keyOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "isComposing" | "target">): Key | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("textarea, select, [contenteditable=true], [role=dialog], [role=menu], [role=combobox], input:not([type=checkbox])")) return null;
  const key = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null;
  if ((key === "open" || key === "select") && target?.closest("a, button, input, [role=tab]")) return null;
  return key;
}

/** The row that the cursor is on when rows come and go: the same one, or what has taken its place. */
export function cursorAt(ids: readonly string[], id: string | null, index: number): number {
  if (ids.length === 0) return -1;
  const same = id === null ? -1 : ids.indexOf(id);
  return same >= 0 ? same : Math.min(Math.max(index, 0), ids.length - 1);
}

/** Rows that a decision is about: those chosen, else the one under the cursor; only where there is something to sign. */
export function subjectsOf(rows: readonly Row[], selected: ReadonlySet<string>, cursor: number): Row[] {
  const chosen = rows.filter((row) => selected.has(row.ticket.id));
  const about = chosen.length > 0 ? chosen : rows.slice(cursor, cursor + 1);
  return cursor < 0 && chosen.length === 0 ? [] : about.filter((row) => signable(row).length > 0);
}
