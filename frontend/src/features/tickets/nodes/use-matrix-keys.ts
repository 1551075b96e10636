/** Walking a matrix by keyboard, and choosing cells and rows by keyboard or pointer. */
import { type KeyboardEvent, type MouseEvent, useCallback, useRef, useState } from "react";
import { cellKey, rectangle, ROW, type Selection } from "../matrix";
import type { MatrixProps } from "./virtual-matrix";

type Place = { row: number; column: number };
type Scroll = { toRow: (index: number) => void; toColumn: (index: number) => void };

const PAGE = 15;

/** Where a key leads to; null for a key that does not walk. The head of a row is column -1. */
export function walk(key: string, control: boolean, at: Place, rows: number, columns: number): Place | null {
  const to = (row: number, column: number): Place => ({
    row: Math.max(0, Math.min(rows - 1, row)),
    column: Math.max(-1, Math.min(columns - 1, column)),
  });
  switch (key) {
    case "ArrowDown":
      return to(at.row + 1, at.column);
    case "ArrowUp":
      return to(at.row - 1, at.column);
    case "ArrowRight":
      return to(at.row, at.column + 1);
    case "ArrowLeft":
      return to(at.row, at.column - 1);
    case "PageDown":
      return to(at.row + PAGE, at.column);
    case "PageUp":
      return to(at.row - PAGE, at.column);
    case "Home":
      return to(control ? 0 : at.row, -1);
    case "End":
      return to(control ? rows - 1 : at.row, columns - 1);
    default:
      return null;
  }
}

export function toggled(selection: Selection, keys: readonly string[]): Selection {
  const next = new Set(selection);
  const all = keys.every((key) => next.has(key));
  for (const key of keys) if (all) next.delete(key);
    else next.add(key);
  return next;
}

/** Handlers that never change, reading the newest props: rows must not paint again because a handler is new. */
export function useMatrixKeys<Row>(props: MatrixProps<Row>, scroll: Scroll) {
  const [active, setActive] = useState<Place | null>(null);
  const anchor = useRef<Place | null>(null);
  const now = useRef({ props, scroll, active });
  now.current = { props, scroll, active };

  const keyAt = (place: Place): string | null => {
    const { rows, columns, keyOf } = now.current.props;
    const row = rows[place.row];
    return row === undefined ? null : cellKey(keyOf(row), columns[place.column]?.key ?? ROW);
  };
  const between = (from: Place, to: Place): string[] => {
    const { rows, columns, keyOf } = now.current.props;
    const nodes = rows.map((row) => ({ id: keyOf(row) }));
    const names = [ROW, ...columns.map((column) => column.key)];
    const wholeRows = from.column === -1 || to.column === -1;
    const shift = (place: Place) => ({ row: place.row, column: wholeRows ? 0 : place.column + 1 });
    return rectangle(nodes as never, names, shift(from), shift(to));
  };
  const choose = (next: Selection) => now.current.props.onSelect?.(next);
  const extend = (to: Place) => {
    const { selection } = now.current.props;
    if (selection === undefined) return;
    anchor.current ??= to;
    choose(new Set([...selection, ...between(anchor.current, to)]));
  };
  const toggle = (place: Place) => {
    const key = keyAt(place);
    const { selection } = now.current.props;
    if (key === null || selection === undefined) return;
    anchor.current = place;
    choose(toggled(selection, [key]));
  };
  const open = (place: Place) => {
    const { rows, columns, onOpen } = now.current.props;
    const row = rows[place.row];
    if (row !== undefined) onOpen(row, columns[place.column]?.key ?? null);
  };
  const go = (place: Place) => {
    setActive(place);
    now.current.scroll.toRow(place.row);
    if (place.column >= 0) now.current.scroll.toColumn(place.column);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const { rows, columns, selection } = now.current.props;
    const at = now.current.active ?? { row: 0, column: -1 };
    const control = event.ctrlKey || event.metaKey;
    const to = walk(event.key, control, at, rows.length, columns.length);
    if (to) {
      if (event.shiftKey) {
        anchor.current ??= at;
        extend(to);
      } else anchor.current = null;
      go(to);
    } else if (event.key === "Enter") open(at);
    else if (event.key === " ") toggle(at);
    else if (event.key.toLowerCase() === "a" && control && selection !== undefined) {
      choose(new Set(between({ row: 0, column: -1 }, { row: rows.length - 1, column: -1 })));
    } else if (event.key === "Escape" && selection !== undefined && selection.size > 0) choose(new Set());
    else return;
    event.preventDefault();
  };
  const onPoint = useCallback((event: MouseEvent, row: number, column: number) => {
    const place = { row, column };
    setActive(place);
    if (event.shiftKey) extend(place);
    else if (event.ctrlKey || event.metaKey) toggle(place);
    else {
      anchor.current = place;
      open(place);
    }
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- reads the newest props through a ref
  }, []);
  const onToggleRow = useCallback((row: number, shift: boolean) => {
    if (shift) extend({ row, column: -1 });
    else toggle({ row, column: -1 });
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- reads the newest props through a ref
  }, []);
  const onFocus = () => setActive((before) => before ?? { row: 0, column: -1 });
  return { active, onKeyDown, onFocus, onPoint, onToggleRow };
}
