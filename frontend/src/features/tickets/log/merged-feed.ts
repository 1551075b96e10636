/** The merged log of a step as it is read: which pages are there, and one request at a time for more. */
import type { MergedOut } from "../../../api/client";
import { append, firstPage, foundPage, type Merged, type Said, nextCursor, prepend, previousCursor } from "./merged-pages";

export type FetchMerged = (cursor: string | null, direction: "forward" | "back") => Promise<MergedOut>;

export type FindMerged = (cursor: string | null) => Promise<MergedOut>;
/** What became of a search; "stopped": it was given up, or it failed. */
export type Sought = "found" | "none" | "stopped";

export class MergedFeed {
  private turn = 0;
  private held: Merged | null = null;
  private error: unknown = null;
  private working: Promise<void> | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly fetch: FetchMerged) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): Merged | null => this.held;

  problem = (): unknown => this.error;

  /** From the beginning, or the last page. */
  open(atEnd: boolean): Promise<void> {
    return this.once(async () => {
      this.held = firstPage(await this.fetch(null, atEnd ? "back" : "forward"), atEnd, ++this.turn);
    });
  }

  /** The next page that has what `find` looks for takes the place of those held; `pick` says which line is meant. */
  async seek(find: FindMerged, pick: (page: MergedOut) => Said, from: string | null, back: boolean, signal: AbortSignal): Promise<Sought> {
    this.error = null;
    try {
      for (let cursor = from; ; ) {
        const page = await find(cursor);
        await this.working;
        if (signal.aborted) return "stopped";
        if (page.lines.length > 0) {
          this.held = foundPage(page, back, ++this.turn, pick(page));
          return "found";
        }
        if (!page.more) return "none";
        cursor = back ? page.previous : page.next;
      }
    } catch (error) {
      if (!signal.aborted) this.error = error;
      return "stopped";
    } finally {
      this.changed();
    }
  }

  forward(): Promise<void> {
    return this.once(async () => {
      const state = this.held;
      if (state) this.held = append(state, await this.fetch(nextCursor(state), "forward"));
    });
  }

  back(): Promise<void> {
    return this.once(async () => {
      const state = this.held;
      if (state?.before) this.held = prepend(state, await this.fetch(previousCursor(state), "back"));
    });
  }

  /** There is more at the end. Who follows gets it now, anybody else when he gets there. */
  async grew(follows: boolean): Promise<void> {
    await this.working;
    if (!this.held || this.held.behind) return;
    if (follows || this.held.pages.every((page) => page.lines.length === 0)) return this.forward();
    this.held = { ...this.held, behind: true };
    this.changed();
  }

  /** A second wish while one is being fulfilled is the same wish. */
  private once(work: () => Promise<void>): Promise<void> {
    this.working ??= this.run(work);
    return this.working;
  }

  private async run(work: () => Promise<void>): Promise<void> {
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = error;
    } finally {
      this.working = null;
      this.changed();
    }
  }

  private changed(): void {
    this.listeners.forEach((tell) => tell());
  }
}
