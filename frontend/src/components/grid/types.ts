/** The grid of the console: machines, wizard, nodes of a cluster, node × step matrix. What it takes:
 *
 * - `label` accessible name of the grid
 * - `columns` see `GridColumn`; keep them stable (module scope or `useMemo`): a new array draws every row anew
 * - `groups` titles of column groups; a collapsed group shows its first column only
 * - `rows`, `rowId` what is loaded; `total` how many there are in all (null: unknown), for screen readers
 * - `state`, `onState` a `GridState`: JSON that a saved view or the URL can hold; begin with `initialState(columns)`
 * - `sort`, `onSort` `name` or `-name` in the api's words; the server sorts
 * - `selection` see `GridSelection`; shift-click takes a range, Space toggles the focused row
 * - `onOpen(row)` click on a row, or Enter in a cell that holds nothing to press
 * - `openId` the row that is shown elsewhere (a drawer)
 * - `loading` first load; `loadingMore`, `onEnd` next page, asked for when the end comes near
 * - `problem` a refusal in place of the rows, `onRetry`; `empty` what to show when there are none
 *
 * It fills its parent, which must have a height (`.page-fill` gives one). Rows are of one height: cells do not wrap. */
import type { ReactNode } from "react";
import type { Problem } from "../../api/problem";

export type GridColumn<Row> = {
  id: string;
  /** Text of the header. */
  title: string;
  width: number;
  minWidth?: number;
  /** Id of its column group. */
  group?: string;
  /** Where it is pinned to begin with. */
  pin?: "left" | "right";
  /** Name of the api's column to sort by; without it the header is no button. */
  sort?: string;
  align?: "right" | "center";
  /** Cannot be hidden. */
  always?: boolean;
  /** Hidden to begin with. */
  hidden?: boolean;
  /** At the right of the header, such as a filter button (give it `tabIndex={-1}`). */
  tools?: ReactNode;
  /** Links and buttons inside need `tabIndex={-1}`: the grid is one tab stop, and Enter in a cell presses the first. */
  render: (row: Row) => ReactNode;
};

export type GridGroup = { id: string; title: string };

export type Density = "compact" | "normal";

/** What a person may change about the columns. */
export type GridState = {
  order: string[];
  hidden: string[];
  collapsed: string[];
  left: string[];
  right: string[];
  widths: Record<string, number>;
  density: Density;
};

export type GridSelection<Row> = {
  isSelected: (id: string) => boolean;
  /** Of the loaded rows, for the box in the header. */
  all: "none" | "some" | "all";
  onToggle: (ids: string[], selected: boolean) => void;
  onToggleAll: (selected: boolean) => void;
  /** Why this row cannot be selected; null when it can. */
  reason?: (row: Row) => string | null;
};

export type GridProps<Row> = {
  label: string;
  columns: ReadonlyArray<GridColumn<Row>>;
  groups?: readonly GridGroup[];
  rows: readonly Row[];
  rowId: (row: Row) => string;
  total?: number | null;
  state: GridState;
  onState: (state: GridState) => void;
  sort?: string | null;
  onSort?: (sort: string | null) => void;
  selection?: GridSelection<Row>;
  onOpen?: (row: Row) => void;
  openId?: string | null;
  loading?: boolean;
  loadingMore?: boolean;
  onEnd?: () => void;
  problem?: Problem | null;
  onRetry?: () => void;
  empty?: ReactNode;
};

export const ROW_HEIGHT: Record<Density, number> = { compact: 32, normal: 40 };
export const SELECT_WIDTH = 44;
