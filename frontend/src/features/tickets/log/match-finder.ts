/** Numbers of the lines that fit a text or a level, asked for page by page until the end of the log is reached. */
export type FoundPage = { lines: number[]; next_line: number | null; searched: number };
export type FindLines = (from: number, signal: AbortSignal) => Promise<FoundPage>;

/** More matches than anybody steps through; the rest is left out and said to be. */
const MOST = 200_000;

export class MatchFinder {
  private found: number[] = [];
  private upTo = 0;
  private error: unknown = null;
  private working: AbortController | null = null;
  private version = 0;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly find: FindLines,
    private readonly most = MOST,
  ) {}

  /** The first listener begins the search, the last one ends it. */
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stop();
    };
  };

  snapshot = (): number => this.version;

  get lines(): readonly number[] {
    return this.found;
  }

  get busy(): boolean {
    return this.working !== null;
  }

  /** Whether there is a match, or certainly none, or it cannot be known. */
  get knows(): boolean {
    return this.found.length > 0 || this.error !== null || (this.upTo > 0 && this.working === null);
  }

  get problem(): unknown {
    return this.error;
  }

  /** There are matches that were left out. */
  get full(): boolean {
    return this.found.length >= this.most;
  }

  /** Search on up to this line, if that has not been done. */
  async reach(total: number): Promise<void> {
    if (this.working || this.full || this.error !== null || this.upTo >= total) return;
    const work = new AbortController();
    this.working = work;
    this.changed();
    try {
      while (!work.signal.aborted && this.upTo < total && !this.full) this.add(await this.find(this.upTo + 1, work.signal));
    } catch (error) {
      if (!work.signal.aborted) this.error = error;
    } finally {
      if (this.working === work) this.working = null;
      this.changed();
    }
  }

  retry(total: number): void {
    this.error = null;
    void this.reach(total);
  }

  private stop(): void {
    this.working?.abort();
    this.working = null;
  }

  private add(page: FoundPage): void {
    const last = this.found.at(-1) ?? 0;
    this.found = [...this.found, ...page.lines.filter((n) => n > last)].slice(0, this.most);
    this.upTo = page.next_line === null ? Math.max(page.searched, this.upTo + 1) : Math.max(page.next_line - 1, this.upTo + 1);
    this.changed();
  }

  private changed(): void {
    this.version += 1;
    this.listeners.forEach((tell) => tell());
  }
}

/** Index of the first of these ascending numbers that is not less than `n`; their count when there is none. */
export function indexFrom(numbers: readonly number[], n: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < n) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The match behind (or before) a line, round the end; null when there is none at all. */
export function stepFrom(numbers: readonly number[], line: number, back: boolean): number | null {
  if (numbers.length === 0) return null;
  if (back) return numbers[indexFrom(numbers, line) - 1] ?? numbers.at(-1)!;
  return numbers[indexFrom(numbers, line + 1)] ?? numbers[0]!;
}

/** Which of the matches the line is, from 1; 0 when it is none. */
export function placeOf(numbers: readonly number[], line: number | null): number {
  if (line === null) return 0;
  const index = indexFrom(numbers, line);
  return numbers[index] === line ? index + 1 : 0;
}

/** A text in pieces, every second one a match. */
export function pieces(text: string, q: string): string[] {
  if (q === "") return [text];
  const found: string[] = [];
  const [within, wanted] = [text.toLowerCase(), q.toLowerCase()];
  // Some letters change their length with their case; then the places would not fit the text.
  if (within.length !== text.length) return [text];
  let at = 0;
  for (let next = within.indexOf(wanted); next >= 0; next = within.indexOf(wanted, at)) {
    found.push(text.slice(at, next), text.slice(next, next + wanted.length));
    at = next + wanted.length;
  }
  return [...found, text.slice(at)];
}
