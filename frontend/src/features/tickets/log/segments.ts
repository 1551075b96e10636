/** Browsers scroll about 17 million pixels: of a log with more than a million lines a part is shown at a time. Pure. */
export const MOST = 1_000_000;
const STEP = MOST / 2;

/** Lines before the part that shows line `n`: as few as possible, in steps, so that the part rarely changes. */
export function baseFor(n: number, total: number): number {
  if (total <= MOST || n <= STEP) return 0;
  const last = Math.max(0, Math.ceil((total - MOST) / STEP) * STEP);
  return Math.min(last, Math.floor((n - STEP / 2) / STEP) * STEP);
}

export const sizeOf = (base: number, total: number): number => Math.max(0, Math.min(MOST, total - base));
