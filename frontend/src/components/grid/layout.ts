/** Columns as they stand: TanStack Table keeps order, visibility, pinning and widths; this turns that into plain values. */
import {
  columnOrderingFeature,
  columnPinningFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useMemo } from "react";
import { type GridColumn, type GridState, SELECT_WIDTH } from "./types";

const features = tableFeatures({
  columnOrderingFeature,
  columnPinningFeature,
  columnSizingFeature,
  columnVisibilityFeature,
});
const NO_ROWS: never[] = [];
const NARROWEST = 60;

export type Placed<Row> = {
  column: GridColumn<Row>;
  width: number;
  /** Distance from the edge that it sticks to; of a centre column from the first centre column. */
  offset: number;
  /** Place among all shown columns, from 0; the box for selecting is before them. */
  index: number;
};

export type Layout<Row> = {
  left: Array<Placed<Row>>;
  center: Array<Placed<Row>>;
  right: Array<Placed<Row>>;
  all: Array<Placed<Row>>;
  leftWidth: number;
  centerWidth: number;
  rightWidth: number;
  width: number;
  selectable: boolean;
};

export function initialState<Row>(columns: ReadonlyArray<GridColumn<Row>>): GridState {
  const ids = (keep: (column: GridColumn<Row>) => boolean) => columns.filter(keep).map((column) => column.id);
  return {
    order: [],
    hidden: ids((column) => column.hidden === true),
    collapsed: [],
    left: ids((column) => column.pin === "left"),
    right: ids((column) => column.pin === "right"),
    widths: {},
    density: "compact",
  };
}

/** Not shown: hidden by the person, or all but the first shown column of a collapsed group. */
export function invisible<Row>(columns: ReadonlyArray<GridColumn<Row>>, state: GridState): Set<string> {
  const hidden = new Set(state.hidden);
  const gone = new Set(columns.filter((column) => hidden.has(column.id) && !column.always).map((column) => column.id));
  for (const group of state.collapsed) {
    const members = columns.filter((column) => column.group === group && !gone.has(column.id));
    for (const member of members.slice(1)) if (!member.always) gone.add(member.id);
  }
  return gone;
}

function place<Row>(columns: ReadonlyArray<GridColumn<Row>>, widths: readonly number[], start: number, first: number) {
  let offset = start;
  return columns.map((column, at): Placed<Row> => {
    const placed = { column, width: widths[at]!, offset, index: first + at };
    offset += placed.width;
    return placed;
  });
}

const sum = (widths: readonly number[]) => widths.reduce((total, width) => total + width, 0);

/** From columns in their final order to places; pure. `available` is shared out among centre columns when they are few. */
export function arrange<Row>(
  parts: Record<"left" | "center" | "right", Array<GridColumn<Row>>>,
  widthOf: (column: GridColumn<Row>) => number,
  selectable: boolean,
  available: number,
): Layout<Row> {
  const start = selectable ? SELECT_WIDTH : 0;
  const widths = { left: parts.left.map(widthOf), center: parts.center.map(widthOf), right: parts.right.map(widthOf) };
  const spare = available - start - sum(widths.left) - sum(widths.center) - sum(widths.right);
  // The last centre column takes what is left over, so that the right ones stand at the edge.
  if (spare > 0 && widths.center.length > 0) widths.center[widths.center.length - 1]! += spare;
  const left = place(parts.left, widths.left, start, 0);
  const center = place(parts.center, widths.center, 0, left.length);
  const right = place(parts.right, widths.right, 0, left.length + center.length);
  // Right columns stick by their distance from the right edge.
  let fromRight = 0;
  for (const placed of [...right].reverse()) {
    placed.offset = fromRight;
    fromRight += placed.width;
  }
  const leftWidth = start + sum(widths.left);
  return {
    left,
    center,
    right,
    all: [...left, ...center, ...right],
    leftWidth,
    centerWidth: sum(widths.center),
    rightWidth: fromRight,
    width: leftWidth + sum(widths.center) + fromRight,
    selectable,
  };
}

export function useLayout<Row>(
  columns: ReadonlyArray<GridColumn<Row>>,
  state: GridState,
  selectable: boolean,
  available: number,
): Layout<Row> {
  const definitions = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        header: column.title,
        size: column.width,
        minSize: column.minWidth ?? NARROWEST,
      })),
    [columns],
  );
  // One object as long as nothing changes: the table is a new one with every new object of options.
  const options = useMemo(() => {
    const gone = invisible(columns, state);
    return {
      features,
      columns: definitions,
      data: NO_ROWS,
      state: {
        columnOrder: state.order,
        columnVisibility: Object.fromEntries([...gone].map((id) => [id, false])),
        columnPinning: { start: state.left, end: state.right },
        columnSizing: state.widths,
      },
    };
  }, [columns, definitions, state]);
  const table = useTable(options);
  return useMemo(() => {
    const byId = new Map(columns.map((column) => [column.id, column]));
    const own = (found: ReadonlyArray<{ id: string }>) => found.flatMap(({ id }) => byId.get(id) ?? []);
    const parts = {
      left: own(table.getStartVisibleLeafColumns()),
      center: own(table.getCenterVisibleLeafColumns()),
      right: own(table.getEndVisibleLeafColumns()),
    };
    const widthOf = (column: GridColumn<Row>) => table.getColumn(column.id)?.getSize() ?? column.width;
    return arrange(parts, widthOf, selectable, available);
  }, [table, columns, selectable, available]);
}

export type Run<Row> = { group: string | null; columns: Array<Placed<Row>>; width: number };

/** Neighbours of one group, for the upper header row. */
export function runs<Row>(placed: ReadonlyArray<Placed<Row>>): Array<Run<Row>> {
  const found: Array<Run<Row>> = [];
  for (const one of placed) {
    const group = one.column.group ?? null;
    const last = found.at(-1);
    if (last && last.group === group) {
      last.columns.push(one);
      last.width += one.width;
    } else found.push({ group, columns: [one], width: one.width });
  }
  return found;
}
