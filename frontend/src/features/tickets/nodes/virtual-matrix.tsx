/** A grid of named rows and columns that paints only what can be seen, with cells that can be walked, chosen and opened.
 * Props: `rows`, `columns`; `rowHead`, `cell` paint (keep them stable: rows paint again only when they change);
 * `selection` keys as `cellKey` makes them and `onSelect` (none = nothing can be chosen); `onOpen(row, column | null)`. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useId, useRef } from "react";
import { useTranslation } from "react-i18next";
import { cellKey, ROW, type Selection } from "../matrix";
import { MatrixRow } from "./matrix-row";
import { useMatrixKeys } from "./use-matrix-keys";

export type MatrixColumn = { key: string; label: string; head: ReactNode; width: number };

export type MatrixProps<Row> = {
  label: string;
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  nameOf: (row: Row) => string;
  columns: readonly MatrixColumn[];
  corner: ReactNode;
  headWidth: number;
  headHeight?: number;
  rowHead: (row: Row) => ReactNode;
  cell: (row: Row, column: string) => ReactNode;
  selection?: Selection;
  onSelect?: (next: Selection) => void;
  onOpen: (row: Row, column: string | null) => void;
  empty: ReactNode;
};

export const ROW_HEIGHT = 32;
const HEAD_HEIGHT = 52;
/** Both borders, and the bar that scrolls sideways. */
const BORDERS = 14;

function Head<Row>({ props, window: shown }: { props: MatrixProps<Row>; window: Array<{ index: number; start: number }> }) {
  const height = props.headHeight ?? HEAD_HEIGHT;
  return (
    <div className="matrix-head" role="row" aria-rowindex={1} style={{ height }}>
      <div className="matrix-corner" role="columnheader" aria-colindex={1} style={{ width: props.headWidth }}>
        {props.corner}
      </div>
      {shown.map(({ index, start }) => {
        const column = props.columns[index]!;
        return (
          <div
            key={column.key}
            className="matrix-column"
            role="columnheader"
            aria-colindex={index + 2}
            style={{ width: column.width, left: props.headWidth + start }}
          >
            {column.head}
          </div>
        );
      })}
    </div>
  );
}

function chosenOf(selection: Selection | undefined, key: string, columns: readonly MatrixColumn[]): string {
  if (!selection || selection.size === 0) return "";
  if (selection.has(cellKey(key, ROW))) return "*";
  return columns.filter((column) => selection.has(cellKey(key, column.key))).map((column) => column.key).join(" ");
}

export function VirtualMatrix<Row>(props: MatrixProps<Row>) {
  const { rows, columns, headWidth, selection } = props;
  const { t } = useTranslation("tickets");
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const headHeight = props.headHeight ?? HEAD_HEIGHT;
  const vertical = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 4,
    scrollPaddingStart: headHeight,
    paddingStart: headHeight,
  });
  const horizontal = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => columns[index]?.width ?? 100,
    getItemKey: (index) => `${columns[index]?.key ?? index}:${columns[index]?.width ?? 0}`,
    overscan: 1,
    scrollPaddingStart: headWidth,
  });
  const keys = useMatrixKeys(props, {
    toRow: (index) => vertical.scrollToIndex(index),
    toColumn: (index) => horizontal.scrollToIndex(index),
  });
  const shownColumns = horizontal.getVirtualItems();
  const first = shownColumns[0]?.index ?? 0;
  const last = shownColumns.at(-1)?.index ?? -1;
  if (rows.length === 0) return <>{props.empty}</>;
  return (
    <div
      ref={scroller}
      className="matrix"
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-describedby={`${id}-help`}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length + 1}
      aria-multiselectable={selection !== undefined || undefined}
      aria-activedescendant={keys.active ? `${id}-${keys.active.row}-${keys.active.column}` : undefined}
      onKeyDown={keys.onKeyDown}
      onFocus={keys.onFocus}
      data-testid="matrix"
      style={{ height: vertical.getTotalSize() + BORDERS }}
    >
      <span id={`${id}-help`} className="visually-hidden">
        {t(selection === undefined ? "matrix.help" : "matrix.helpSelect")}
      </span>
      <div
        className="matrix-space"
        role="presentation"
        style={{ height: vertical.getTotalSize(), width: headWidth + horizontal.getTotalSize() }}
      >
        <Head props={props} window={shownColumns} />
        {vertical.getVirtualItems().map((item) => {
          const row = rows[item.index]!;
          const key = props.keyOf(row);
          return (
            <MatrixRow
              key={key}
              id={id}
              row={row}
              name={props.nameOf(row)}
              index={item.index}
              top={item.start}
              columns={columns}
              first={first}
              last={last}
              headWidth={headWidth}
              rowHead={props.rowHead as (row: unknown) => ReactNode}
              cell={props.cell as (row: unknown, column: string) => ReactNode}
              chosen={chosenOf(selection, key, columns)}
              selectable={selection !== undefined}
              active={keys.active?.row === item.index ? keys.active.column : null}
              onPoint={keys.onPoint}
              onToggleRow={keys.onToggleRow}
            />
          );
        })}
      </div>
    </div>
  );
}
