/** One row of a matrix. It paints again only when its own data, its selection or the window of columns changes. */
import { memo, type MouseEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { MatrixColumn } from "./virtual-matrix";

export type RowProps = {
  id: string;
  row: unknown;
  name: string;
  index: number;
  top: number;
  columns: readonly MatrixColumn[];
  first: number;
  last: number;
  headWidth: number;
  rowHead: (row: unknown) => ReactNode;
  cell: (row: unknown, column: string) => ReactNode;
  /** Keys of chosen columns, `*` for the whole row. */
  chosen: string;
  selectable: boolean;
  /** Column of the cell that the keyboard is at; -1 is the row's head. */
  active: number | null;
  onPoint: (event: MouseEvent, row: number, column: number) => void;
  onToggleRow: (row: number, extend: boolean) => void;
};

function RowHead({ props }: { props: RowProps }) {
  const { t } = useTranslation("tickets");
  const { index, selectable } = props;
  return (
    <div
      id={`${props.id}-${index}--1`}
      className="matrix-row-head"
      role="rowheader"
      aria-colindex={1}
      data-active={props.active === -1 || undefined}
      style={{ width: props.headWidth }}
    >
      {selectable && (
        <input
          type="checkbox"
          tabIndex={-1}
          checked={props.chosen === "*"}
          aria-label={t("matrix.selectRow", { name: props.name })}
          onChange={() => undefined}
          onClick={(event) => props.onToggleRow(index, event.shiftKey)}
        />
      )}
      <div className="matrix-row-name" onClick={(event) => props.onPoint(event, index, -1)}>
        {props.rowHead(props.row)}
      </div>
    </div>
  );
}

export const MatrixRow = memo(function MatrixRow(props: RowProps) {
  const { columns, first, last, index } = props;
  const chosen = new Set(props.chosen.split(" "));
  const start = columns.slice(0, first).reduce((sum, column) => sum + column.width, props.headWidth);
  let left = start;
  return (
    <div
      className="matrix-row"
      role="row"
      aria-rowindex={index + 2}
      aria-selected={props.selectable ? chosen.has("*") : undefined}
      style={{ transform: `translateY(${props.top}px)` }}
    >
      <RowHead props={props} />
      {columns.slice(first, last + 1).map((column, offset) => {
        const at = first + offset;
        const place = left;
        left += column.width;
        return (
          <div
            key={column.key}
            id={`${props.id}-${index}-${at}`}
            className="matrix-cell"
            role="gridcell"
            aria-colindex={at + 2}
            aria-selected={props.selectable ? chosen.has("*") || chosen.has(column.key) : undefined}
            data-active={props.active === at || undefined}
            data-column={column.key}
            style={{ width: column.width, left: place }}
            onClick={(event) => props.onPoint(event, index, at)}
          >
            {props.cell(props.row, column.key)}
          </div>
        );
      })}
    </div>
  );
});
