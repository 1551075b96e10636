/** The header: column groups that fold, sorting, widths by mouse and by Shift+arrow. */
import { CaretDownOutlined, CaretUpOutlined, MinusSquareOutlined, PlusSquareOutlined } from "@ant-design/icons";
import { type PointerEvent, useRef } from "react";
import { useTranslation } from "react-i18next";
import { nextSort, sortOf } from "./keyboard";
import { type Layout, type Placed, type Run, runs } from "./layout";
import type { GridGroup, GridSelection } from "./types";

type HeaderProps<Row> = {
  layout: Layout<Row>;
  groups: readonly GridGroup[];
  collapsed: readonly string[];
  onCollapse: (group: string) => void;
  sort: string | null;
  onSort: ((sort: string | null) => void) | undefined;
  onWidth: (id: string, width: number) => void;
  selection: GridSelection<Row> | undefined;
  tab: { row: number; column: number };
  c0: number;
  c1: number;
};

function stickStyle<Row>(placed: Placed<Row> | undefined, stick: "left" | "right" | undefined) {
  return stick && placed ? { [stick]: placed.offset } : {};
}

function GroupCell<Row>({ run, stick, props }: { run: Run<Row>; stick?: "left" | "right"; props: HeaderProps<Row> }) {
  const { t } = useTranslation();
  const shift = props.layout.selectable ? 1 : 0;
  const group = props.groups.find((one) => one.id === run.group);
  const at = run.columns[0]!.index + shift;
  const folded = group !== undefined && props.collapsed.includes(group.id);
  const edge = stick === "right" ? run.columns.at(-1) : run.columns[0];
  return (
    <div
      role={group ? "columnheader" : "gridcell"} // a header without a text is none
      aria-colindex={at + 1}
      aria-colspan={run.columns.length}
      data-column={at}
      tabIndex={props.tab.row === -2 && props.tab.column === at ? 0 : -1}
      className={`grid-cell grid-head grid-group${stick ? ` grid-sticky grid-${stick}` : ""}`}
      style={{ width: run.width, ...stickStyle(edge, stick) }}
    >
      {group && (
        <button
          type="button"
          tabIndex={-1}
          className="grid-fold"
          aria-expanded={!folded}
          aria-label={t(folded ? "grid.expand" : "grid.collapse", { name: group.title })}
          style={stick ? {} : { left: props.layout.leftWidth + 8 }}
          onClick={() => props.onCollapse(group.id)}
        >
          {folded ? <PlusSquareOutlined aria-hidden /> : <MinusSquareOutlined aria-hidden />}
          <span className="ellipsis">{group.title}</span>
        </button>
      )}
    </div>
  );
}

function Resizer({ width, onWidth }: { width: number; onWidth: (width: number) => void }) {
  const began = useRef<{ x: number; width: number } | null>(null);
  const move = (event: PointerEvent<HTMLDivElement>) => {
    if (began.current) onWidth(began.current.width + event.clientX - began.current.x);
  };
  return (
    <div
      className="grid-resizer"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        began.current = { x: event.clientX, width };
      }}
      onPointerMove={move}
      onPointerUp={() => (began.current = null)}
      onPointerCancel={() => (began.current = null)}
    />
  );
}

function HeadCell<Row>({ placed, stick, props }: { placed: Placed<Row>; stick?: "left" | "right"; props: HeaderProps<Row> }) {
  const { t } = useTranslation();
  const { column, width } = placed;
  const at = placed.index + (props.layout.selectable ? 1 : 0);
  const sorted = sortOf(column.sort, props.sort);
  const onSort = props.onSort;
  const sortable = column.sort !== undefined && onSort !== undefined;
  return (
    <div
      role="columnheader"
      aria-colindex={at + 1}
      aria-sort={sorted === null ? (sortable ? "none" : undefined) : sorted === "asc" ? "ascending" : "descending"}
      data-column={at}
      data-column-id={column.id}
      tabIndex={props.tab.row === -1 && props.tab.column === at ? 0 : -1}
      className={`grid-cell grid-head${stick ? ` grid-sticky grid-${stick}` : ""}`}
      style={{ width, ...stickStyle(placed, stick) }}
    >
      {sortable ? (
        <button
          type="button"
          tabIndex={-1}
          className="grid-sort"
          aria-label={t("grid.sort", { name: column.title })}
          onClick={() => onSort(nextSort(column.sort!, props.sort))}
        >
          <span className="ellipsis">{column.title}</span>
          {sorted === "asc" && <CaretUpOutlined aria-label={t("grid.sorted.asc")} />}
          {sorted === "desc" && <CaretDownOutlined aria-label={t("grid.sorted.desc")} />}
        </button>
      ) : (
        <span className="ellipsis">{column.title}</span>
      )}
      {column.tools && <span className="grid-tools">{column.tools}</span>}
      <Resizer width={width} onWidth={(wanted) => props.onWidth(column.id, wanted)} />
    </div>
  );
}

function SelectAll<Row>({ props }: { props: HeaderProps<Row> }) {
  const { t } = useTranslation();
  const state = props.selection?.all ?? "none";
  return (
    <div
      role="columnheader"
      aria-colindex={1}
      data-column={0}
      tabIndex={props.tab.row === -1 && props.tab.column === 0 ? 0 : -1}
      className="grid-cell grid-head grid-sticky grid-left grid-select"
      style={{ left: 0 }}
    >
      <input
        type="checkbox"
        tabIndex={-1}
        aria-label={t("grid.selectAll")}
        checked={state === "all"}
        ref={(box) => {
          if (box) box.indeterminate = state === "some";
        }}
        onChange={(event) => props.selection?.onToggleAll(event.target.checked)}
      />
    </div>
  );
}

export function GridHeader<Row>(props: HeaderProps<Row>) {
  const { layout, c0, c1 } = props;
  const grouped = props.groups.length > 0;
  const shown = layout.center.slice(c0, c1 + 1);
  const last = shown.at(-1);
  const before = shown[0]?.offset ?? 0;
  const after = layout.centerWidth - (last ? last.offset + last.width : 0);
  const group = (stick?: "left" | "right") => (run: Run<Row>) => (
    <GroupCell key={run.columns[0]!.column.id} run={run} props={props} {...(stick ? { stick } : {})} />
  );
  const head = (stick?: "left" | "right") => (placed: Placed<Row>) => (
    <HeadCell key={placed.column.id} placed={placed} props={props} {...(stick ? { stick } : {})} />
  );
  return (
    <div role="rowgroup" className="grid-header" style={{ width: layout.width }}>
      {grouped && (
        <div role="row" aria-rowindex={1} data-row={-2} className="grid-head-row">
          {layout.selectable && <div role="gridcell" aria-colindex={1} className="grid-cell grid-head grid-sticky grid-left grid-select" style={{ left: 0 }} />}
          {runs(layout.left).map(group("left"))}
          {runs(layout.center).map(group())}
          {runs(layout.right).map(group("right"))}
        </div>
      )}
      <div role="row" aria-rowindex={grouped ? 2 : 1} data-row={-1} className="grid-head-row">
        {layout.selectable && <SelectAll props={props} />}
        {layout.left.map(head("left"))}
        {before > 0 && <div style={{ width: before }} className="grid-space" />}
        {shown.map(head())}
        {after > 0 && <div style={{ width: after }} className="grid-space" />}
        {layout.right.map(head("right"))}
      </div>
    </div>
  );
}
