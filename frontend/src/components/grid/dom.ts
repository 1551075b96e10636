/** The few places where the grid touches elements itself. */
import { type RefObject, useLayoutEffect, useState } from "react";
import type { Cell } from "./keyboard";

/** Scrolling draws the target a frame or two later. */
const FRAMES = 6;

export function focusCell(grid: HTMLElement | null, cell: Cell, frames = FRAMES): void {
  const found = grid?.querySelector<HTMLElement>(`[data-row="${cell.row}"] [data-column="${cell.column}"]`);
  if (found) found.focus({ preventScroll: true });
  else if (cell.row === -2 && grid) focusGroup(grid, cell.column);
  else if (frames > 0) requestAnimationFrame(() => focusCell(grid, cell, frames - 1));
}

/** The upper header row has one cell for several columns. */
function focusGroup(grid: HTMLElement, column: number): void {
  const groups = [...grid.querySelectorAll<HTMLElement>('[data-row="-2"] [data-column]')];
  const at = groups.filter((group) => Number(group.dataset["column"]) <= column).at(-1) ?? groups[0];
  at?.focus({ preventScroll: true });
}

/** Clicks the first fitting widget of a cell; false when there is none. */
export function pressIn(cell: Element | null, selector: string): boolean {
  const found = cell?.querySelector<HTMLElement>(selector);
  if (!found) return false;
  found.click();
  return true;
}

/** Inner width of an element, followed while it changes. */
export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const watched = element.current;
    if (!watched) return undefined;
    const read = () => setWidth(watched.clientWidth);
    read();
    const observer = new ResizeObserver(read);
    observer.observe(watched);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
