/** One row. Drawn again only when one of these few values changes: scrolling must not touch rows that stay. */
import { memo, type ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Layout, Placed } from "./layout";
import type { GridSelection } from "./types";

type RowProps<Row> = {
  row: Row;
  id: string;
  index: number;
  /** Header rows above, for aria-rowindex. */
  above: number;
  top: number;
  height: number;
  selected: boolean;
  open: boolean;
  c0: number;
  c1: number;
  /** Column of the tab stop when it is in this row, else -1. */
  tabColumn: number;
  layout: Layout<Row>;
  reason: GridSelection<Row>["reason"];
};

type CellProps<Row> = { placed: Placed<Row>; row: Row; shift: number; tab: boolean; stick?: "left" | "right" };

function PlainCell<Row>({ placed, row, shift, tab, stick }: CellProps<Row>) {
  const { column, width, offset, index } = placed;
  const at = index + shift;
  const sticky = stick === undefined ? "" : ` grid-sticky grid-${stick}`;
  return (
    <div
      role="gridcell"
      aria-colindex={at + 1}
      data-column={at}
      tabIndex={tab ? 0 : -1}
      className={`grid-cell${sticky}${column.align ? ` grid-${column.align}-text` : ""}`}
      style={stick ? { width, [stick]: offset } : { width }}
    >
      {column.render(row)}
    </div>
  );
}

/** Scrolling sideways changes the set of cells of every row: those that stay are not drawn again. */
const Cell = memo(PlainCell) as <Row>(props: CellProps<Row>) => ReactElement;

function SelectCell<Row>(props: { row: Row; id: string; selected: boolean; tab: boolean; reason: RowProps<Row>["reason"] }) {
  const { t } = useTranslation();
  const reason = props.reason?.(props.row) ?? null;
  return (
    <div
      role="gridcell"
      aria-colindex={1}
      data-column={0}
      tabIndex={props.tab ? 0 : -1}
      className="grid-cell grid-sticky grid-left grid-select"
      style={{ left: 0 }}
    >
      <input
        type="checkbox"
        tabIndex={-1}
        checked={props.selected}
        disabled={reason !== null}
        title={reason ?? undefined}
        aria-label={reason ?? t("grid.select")}
        readOnly
        data-select={props.id}
      />
    </div>
  );
}

function PlainRow<Row>(props: RowProps<Row>) {
  const { layout, row, c0, c1, tabColumn } = props;
  const shift = layout.selectable ? 1 : 0;
  const shown = layout.center.slice(c0, c1 + 1);
  const before = shown[0]?.offset ?? 0;
  const last = shown.at(-1);
  const after = layout.centerWidth - (last ? last.offset + last.width : 0);
  const cell = (stick?: "left" | "right") => (placed: Placed<Row>) => (
    <Cell
      key={placed.column.id}
      placed={placed}
      row={row}
      shift={shift}
      tab={placed.index + shift === tabColumn}
      {...(stick ? { stick } : {})}
    />
  );
  return (
    <div
      role="row"
      aria-rowindex={props.index + props.above + 1}
      aria-selected={layout.selectable ? props.selected : undefined}
      data-row={props.index}
      className={`grid-row${props.selected ? " grid-selected" : ""}${props.open ? " grid-open" : ""}`}
      style={{ top: props.top, height: props.height, width: layout.width }}
    >
      {layout.selectable && (
        <SelectCell row={row} id={props.id} selected={props.selected} tab={tabColumn === 0} reason={props.reason} />
      )}
      {layout.left.map(cell("left"))}
      {before > 0 && <div style={{ width: before }} className="grid-space" />}
      {shown.map(cell())}
      {after > 0 && <div style={{ width: after }} className="grid-space" />}
      {layout.right.map(cell("right"))}
    </div>
  );
}

export const GridRow = memo(PlainRow) as <Row>(props: RowProps<Row>) => ReactElement;
