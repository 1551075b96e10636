/** What the address of the machine page holds: filters, sort, columns, the open machine. A saved view holds the same. */
import type { GridState } from "../../components/grid/types";

export type Look = Partial<Pick<GridState, "hidden" | "collapsed" | "left" | "right" | "order" | "widths" | "density">>;
export type MachineSearch = {
  /** `column:operator:value`, as the api takes them. */
  filter?: string[];
  sort?: string;
  look?: Look;
  /** Id of the machine in the drawer, and its tab. */
  machine?: string;
  tab?: string;
};

const texts = (value: unknown): string[] | undefined =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : undefined;

function readLook(value: unknown): Look | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const raw = value as Record<string, unknown>;
  const look: Look = {};
  for (const name of ["hidden", "collapsed", "left", "right", "order"] as const) {
    const found = texts(raw[name]);
    if (found) look[name] = found;
  }
  if (raw["density"] === "compact" || raw["density"] === "normal") look.density = raw["density"];
  if (typeof raw["widths"] === "object" && raw["widths"] !== null) {
    const widths = Object.entries(raw["widths"]).filter(([, width]) => typeof width === "number");
    look.widths = Object.fromEntries(widths) as Record<string, number>;
  }
  return Object.keys(look).length > 0 ? look : undefined;
}

/** Whatever an address or a view may hold, only what the page understands. */
export function readMachineSearch(raw: Record<string, unknown>): MachineSearch {
  const found: MachineSearch = {};
  const filter = texts(raw["filter"]);
  if (filter && filter.length > 0) found.filter = filter;
  for (const name of ["sort", "machine", "tab"] as const) {
    const value = raw[name];
    if (typeof value === "string" && value !== "") found[name] = value;
  }
  const look = readLook(raw["look"]);
  if (look) found.look = look;
  return found;
}

/** Only how the grid differs from how it begins: addresses stay short, and a new column shows in old views too. */
export function lookOf(state: GridState, begin: GridState): Look | undefined {
  const changed = Object.entries(state).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(begin[name as keyof GridState]),
  );
  return changed.length > 0 ? (Object.fromEntries(changed) as Look) : undefined;
}
