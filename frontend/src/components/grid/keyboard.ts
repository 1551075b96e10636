/** Where a key leads in a grid, after the ARIA grid pattern; pure. Header rows have negative numbers: -1 is the lowest. */
export type Cell = { row: number; column: number };
export type Bounds = { firstRow: number; rows: number; columns: number; page: number };

type Key = { key: string; ctrlKey: boolean; metaKey: boolean };

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));

/** null: the key is none of the grid's. */
export function nextCell(event: Key, from: Cell, bounds: Bounds): Cell | null {
  const lastRow = bounds.rows - 1;
  const lastColumn = bounds.columns - 1;
  const whole = event.ctrlKey || event.metaKey;
  const to = (row: number, column: number): Cell => ({
    row: clamp(row, bounds.firstRow, Math.max(lastRow, bounds.firstRow)),
    column: clamp(column, 0, lastColumn),
  });
  switch (event.key) {
    case "ArrowUp":
      return to(whole ? bounds.firstRow : from.row - 1, from.column);
    case "ArrowDown":
      return to(whole ? lastRow : from.row + 1, from.column);
    case "ArrowLeft":
      return to(from.row, whole ? 0 : from.column - 1);
    case "ArrowRight":
      return to(from.row, whole ? lastColumn : from.column + 1);
    case "Home":
      return to(whole ? 0 : from.row, 0);
    case "End":
      return to(whole ? lastRow : from.row, lastColumn);
    case "PageUp":
      return to(from.row < 0 ? from.row : Math.max(0, from.row - bounds.page), from.column);
    case "PageDown":
      return to(from.row + bounds.page, from.column);
    default:
      return null;
  }
}

/** `a` → `-a` → unsorted. */
export function nextSort(column: string, sort: string | null): string | null {
  if (sort === column) return `-${column}`;
  return sort === `-${column}` ? null : column;
}

export function sortOf(column: string | undefined, sort: string | null): "asc" | "desc" | null {
  if (column === undefined) return null;
  if (sort === column) return "asc";
  return sort === `-${column}` ? "desc" : null;
}
