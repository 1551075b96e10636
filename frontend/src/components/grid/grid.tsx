/** See `types.ts` for what the grid takes. */
import { useVirtualizer, type Range } from "@tanstack/react-virtual";
import { Spin } from "antd";
import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "../empty-state";
import { ProblemAlert } from "../problem-alert";
import { RetryButton } from "../retry-button";
import "./grid.css";
import { focusCell, pressIn, useWidth } from "./dom";
import { GridHeader } from "./header";
import { type Cell, nextCell } from "./keyboard";
import { useLayout } from "./layout";
import { GridRow } from "./row";
import { type GridGroup, type GridProps, type GridState, ROW_HEIGHT } from "./types";

const OVERSCAN = 6;
const NEAR_THE_END = 30;
const WIDTH_STEP = 16;
const NO_GROUPS: readonly GridGroup[] = [];
const HEAD_HEIGHT = 35;

function setWidth(state: GridState, id: string, width: number, narrowest: number): GridState {
  return { ...state, widths: { ...state.widths, [id]: Math.max(narrowest, Math.round(width)) } };
}

/** Rows that are shown, and the one that holds the focus: a focused element must not vanish while scrolling. */
function withFocused(row: number) {
  return (range: Range): number[] => {
    const start = Math.max(0, range.startIndex - range.overscan);
    const end = Math.min(range.count - 1, range.endIndex + range.overscan);
    const shown = Array.from({ length: Math.max(0, end - start + 1) }, (_, at) => start + at);
    if (row >= 0 && row < range.count && (row < start || row > end)) shown.push(row);
    return shown;
  };
}

function useGrid<Row>(props: GridProps<Row>) {
  const { columns, rows, state, selection } = props;
  const groups = props.groups ?? NO_GROUPS;
  const scroller = useRef<HTMLDivElement>(null);
  const available = useWidth(scroller);
  const layout = useLayout(columns, state, selection !== undefined, available);
  const [cell, setCell] = useState<Cell>({ row: -1, column: 0 });
  const height = ROW_HEIGHT[state.density];
  const headRows = groups.length > 0 ? 2 : 1;
  const rangeExtractor = useMemo(() => withFocused(cell.row), [cell.row]);
  const vertical = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: OVERSCAN,
    rangeExtractor,
    scrollPaddingStart: headRows * HEAD_HEIGHT,
    useFlushSync: false,
  });
  const horizontal = useVirtualizer({
    horizontal: true,
    count: layout.center.length,
    getScrollElement: () => scroller.current,
    estimateSize: (at) => layout.center[at]?.width ?? 100,
    overscan: 1,
    scrollPaddingStart: layout.leftWidth,
    scrollPaddingEnd: layout.rightWidth,
    useFlushSync: false,
  });
  // Sizes are cached by the virtualizers; they must be told when a width, the set of columns or the density changes.
  useEffect(() => horizontal.measure(), [horizontal, layout]);
  useEffect(() => vertical.measure(), [vertical, height]);
  return { groups, scroller, layout, cell, setCell, height, headRows, vertical, horizontal };
}

type Model<Row> = ReturnType<typeof useGrid<Row>>;

function moveTo<Row>(model: Model<Row>, next: Cell): void {
  const shift = model.layout.selectable ? 1 : 0;
  model.setCell(next);
  if (next.row >= 0) model.vertical.scrollToIndex(next.row, { align: "auto" });
  const center = next.column - shift - model.layout.left.length;
  if (center >= 0 && center < model.layout.center.length) model.horizontal.scrollToIndex(center, { align: "auto" });
  focusCell(model.scroller.current, next);
}

function useKeys<Row>(props: GridProps<Row>, model: Model<Row>) {
  const { layout, cell, height, groups } = model;
  const shift = layout.selectable ? 1 : 0;
  const resize = (step: number): boolean => {
    const placed = layout.all[cell.column - shift];
    if (cell.row !== -1 || !placed) return false;
    props.onState(setWidth(props.state, placed.column.id, placed.width + step, placed.column.minWidth ?? 60));
    return true;
  };
  const toggle = (): boolean => {
    const row = props.rows[cell.row];
    if (!row || !props.selection || props.selection.reason?.(row)) return false;
    const id = props.rowId(row);
    props.selection.onToggle([id], !props.selection.isSelected(id));
    return true;
  };
  const act = (event: KeyboardEvent): boolean => {
    const inside = (event.target as HTMLElement).closest("[data-column]");
    const own = event.target === inside;
    if (event.key === "Escape" && !own && inside instanceof HTMLElement) return (inside.focus(), true);
    if (!own) return false; // keys of a widget in a cell are its own
    if (event.shiftKey && event.key === "ArrowLeft") return resize(-WIDTH_STEP);
    if (event.shiftKey && event.key === "ArrowRight") return resize(WIDTH_STEP);
    if (event.key === " ") return pressIn(inside, "input[type=checkbox]") || toggle();
    if (event.key === "Enter") {
      if (pressIn(inside, "button, a[href], input")) return true;
      const row = props.rows[cell.row];
      return row && props.onOpen ? (props.onOpen(row), true) : false;
    }
    const page = Math.max(1, Math.floor((model.scroller.current?.clientHeight ?? 0) / height) - 3);
    const bounds = { firstRow: groups.length > 0 ? -2 : -1, rows: props.rows.length, columns: layout.all.length + shift, page };
    const next = nextCell(event, cell, bounds);
    if (next) moveTo(model, next);
    return next !== null;
  };
  return (event: KeyboardEvent) => {
    if (act(event)) event.preventDefault();
  };
}

function useClicks<Row>(props: GridProps<Row>) {
  const anchor = useRef<number | null>(null);
  const select = (index: number, range: boolean) => {
    const selection = props.selection!;
    const at = props.rows[index];
    if (!at || selection.reason?.(at)) return;
    const selected = !selection.isSelected(props.rowId(at));
    const from = range && anchor.current !== null ? anchor.current : index;
    const taken = props.rows.slice(Math.min(from, index), Math.max(from, index) + 1);
    selection.onToggle(taken.filter((row) => !selection.reason?.(row)).map(props.rowId), selected);
    anchor.current = index;
  };
  return (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    const index = Number(target.closest<HTMLElement>("[data-row]")?.dataset["row"] ?? -1);
    if (index < 0) return;
    if (target.closest(".grid-select")) return select(index, event.shiftKey);
    // A person who marks text in a cell wants the text, not the drawer.
    if (target.closest("a, button, input, [role=menuitem]") || window.getSelection()?.toString()) return;
    const row = props.rows[index];
    if (row) props.onOpen?.(row);
  };
}

function Overlay<Row>({ props }: { props: GridProps<Row> }) {
  const { t } = useTranslation();
  if (props.problem) {
    const retry = props.onRetry ? <RetryButton onClick={props.onRetry} /> : null;
    return (
      <div className="grid-over">
        <ProblemAlert problem={props.problem} action={retry} />
      </div>
    );
  }
  if (props.loading) {
    return (
      <div className="grid-over" role="status" aria-label={t("grid.loading")}>
        <Spin />
      </div>
    );
  }
  return props.rows.length > 0 ? null : <div className="grid-over">{props.empty ?? <EmptyState title={t("grid.empty")} />}</div>;
}

export function Grid<Row>(props: GridProps<Row>) {
  const { t } = useTranslation();
  const model = useGrid(props);
  const { layout, groups, cell, setCell, height, headRows, vertical, horizontal, scroller } = model;
  const onKeyDown = useKeys(props, model);
  const onClick = useClicks(props);
  const items = vertical.getVirtualItems();
  const columns = horizontal.getVirtualItems();
  const c0 = columns[0]?.index ?? 0;
  const c1 = columns.at(-1)?.index ?? -1;
  const last = items.reduce((most, item) => Math.max(most, item.index === cell.row ? most : item.index), -1);
  const { onEnd } = props;
  // Of a short first page a third: who only looks at its beginning costs no second page.
  const ahead = Math.min(NEAR_THE_END, Math.floor(props.rows.length / 3));
  const near = props.rows.length > 0 && last >= props.rows.length - ahead;
  useEffect(() => {
    if (near) onEnd?.();
  }, [near, onEnd, props.rows.length]);
  const { state, onState, selection } = props;
  const fold = (id: string) => {
    const folded = state.collapsed.includes(id);
    onState({ ...state, collapsed: folded ? state.collapsed.filter((one) => one !== id) : [...state.collapsed, id] });
  };
  const widen = (id: string, width: number) =>
    onState(setWidth(state, id, width, props.columns.find((column) => column.id === id)?.minWidth ?? 60));
  const total = props.total ?? null;
  return (
    <div className={`grid-frame${props.onOpen ? " grid-openable" : ""}`}>
      <div
        ref={scroller}
        role="grid"
        className="grid"
        aria-label={props.label}
        aria-rowcount={total === null ? -1 : total + headRows}
        aria-colcount={layout.all.length + (layout.selectable ? 1 : 0)}
        aria-multiselectable={layout.selectable || undefined}
        aria-busy={props.loading || props.loadingMore || false}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onFocus={(event) => {
          const at = event.target.closest<HTMLElement>("[data-column]");
          const row = event.target.closest<HTMLElement>("[data-row]");
          if (!at || !row) return;
          const next = { row: Number(row.dataset["row"]), column: Number(at.dataset["column"]) };
          if (next.row !== cell.row || next.column !== cell.column) setCell(next);
        }}
      >
        <GridHeader
          layout={layout}
          groups={groups}
          collapsed={state.collapsed}
          onCollapse={fold}
          sort={props.sort ?? null}
          onSort={props.onSort}
          onWidth={widen}
          selection={selection}
          tab={cell}
          c0={c0}
          c1={c1}
        />
        <div role="rowgroup" className="grid-body" style={{ height: vertical.getTotalSize(), width: layout.width }}>
          {items.map((item) => {
            const row = props.rows[item.index];
            if (row === undefined) return null;
            const id = props.rowId(row);
            return (
              <GridRow
                key={id}
                row={row}
                id={id}
                index={item.index}
                above={headRows}
                top={item.index * height}
                height={height}
                selected={selection?.isSelected(id) ?? false}
                open={props.openId === id}
                c0={c0}
                c1={c1}
                tabColumn={cell.row === item.index ? cell.column : -1}
                layout={layout}
                reason={selection?.reason}
              />
            );
          })}
        </div>
        {props.loadingMore && (
          <div className="grid-more" role="presentation">
            <Spin size="small" aria-label={t("grid.loadingMore")} />
          </div>
        )}
      </div>
      <Overlay props={props} />
    </div>
  );
}
