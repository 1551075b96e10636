/** Lines of one log by number, fetched window by window as they are looked at. A million lines are never held at once.
 * Lines that are not there yet are null: their reader says "loading" at their place. */
import type { Line } from "./log-sources";

export type LinePage = { lines: Line[]; total: number; closed: boolean };
export type FetchLines = (from: number, count: number) => Promise<LinePage>;

type Window = { lines: Line[]; used: number };

const KEEP = 60;
const TOGETHER = 4;

export class LineCache {
  private readonly windows = new Map<number, Window>();
  private readonly busy = new Set<number>();
  private readonly failed = new Map<number, unknown>();
  private readonly listeners = new Set<() => void>();
  private wanted: number[] = [];
  private clock = 0;
  private version = 0;

  constructor(
    private readonly fetch: FetchLines,
    private known: number,
    private ended: boolean,
    readonly size: number = 500,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Changes whenever what can be read changes. */
  snapshot = (): number => this.version;

  get total(): number {
    return this.known;
  }

  get closed(): boolean {
    return this.ended;
  }

  /** What a fetch was refused with, if one was; `retry` asks again. */
  get error(): unknown {
    return this.failed.values().next().value ?? null;
  }

  get(n: number): Line | null {
    const key = this.windowOf(n);
    return this.windows.get(key)?.lines[n - key] ?? null;
  }

  /** These lines are looked at now. Those of an earlier wish that nobody has begun to fetch are forgotten. */
  want(numbers: Iterable<number>): void {
    const keys = new Set<number>();
    for (const n of numbers) if (n >= 1 && n <= this.known) keys.add(this.windowOf(n));
    this.clock += 1;
    for (const key of keys) {
      const window = this.windows.get(key);
      if (window) window.used = this.clock;
    }
    this.wanted = [...keys].filter((key) => !this.complete(key) && !this.failed.has(key));
    this.pump();
  }

  /** One line, fetched if need be. */
  async line(n: number): Promise<Line | null> {
    const key = this.windowOf(n);
    if (this.get(n) === null && !this.busy.has(key)) await this.load(key);
    return this.get(n);
  }

  /** There may be more than is known: read the end, and only then say that it has grown. */
  async refresh(): Promise<void> {
    await this.load(this.windowOf(this.known + 1));
  }

  /** It is known from elsewhere that there are so many lines. */
  tell(total: number, closed: boolean): void {
    if (total > this.known || (closed && !this.ended)) void this.refresh();
  }

  retry(): void {
    this.wanted = [...this.failed.keys()];
    this.failed.clear();
    this.changed();
    this.pump();
  }

  private windowOf(n: number): number {
    return Math.floor((n - 1) / this.size) * this.size + 1;
  }

  private complete(key: number): boolean {
    const have = this.windows.get(key)?.lines.length ?? 0;
    return have >= Math.min(this.size, this.known - key + 1);
  }

  private pump(): void {
    while (this.busy.size < TOGETHER) {
      const key = this.wanted.shift();
      if (key === undefined) return;
      if (!this.busy.has(key)) void this.load(key).then(() => this.pump());
    }
  }

  /** Fetches what a window lacks. Lines never change, so the part that is there stays. */
  private async load(key: number): Promise<void> {
    if (this.busy.has(key)) return;
    this.busy.add(key);
    try {
      const have = this.windows.get(key)?.lines ?? [];
      const missing = this.size - have.length;
      const page = await this.fetch(key + have.length, Math.max(missing, 1));
      this.put(key, [...have, ...page.lines].slice(0, this.size));
      // A page holds less than it was asked for where lines are very long: the rest is asked for when it is looked at.
      if (page.lines.length > 0 && !this.complete(key) && page.total === this.known) this.wanted.push(key);
      this.known = Math.max(this.known, page.total);
      this.ended = page.closed;
    } catch (error) {
      this.failed.set(key, error);
    } finally {
      this.busy.delete(key);
      this.changed();
    }
  }

  private put(key: number, lines: Line[]): void {
    this.windows.set(key, { lines, used: this.clock });
    if (this.windows.size <= KEEP) return;
    const [oldest] = [...this.windows].reduce((least, one) => (one[1].used < least[1].used ? one : least));
    this.windows.delete(oldest);
  }

  private changed(): void {
    this.version += 1;
    this.listeners.forEach((tell) => tell());
  }
}
