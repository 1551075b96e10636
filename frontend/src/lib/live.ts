/** Live updates. A page has one connection: that of its innermost `useLive`; handlers of all of them hear its events. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import { Connection, type ConnectionState } from "./connection";
import type { ServerEvent } from "./sse";

export type LiveHandlers = {
  /** Every event: its name, its data as JSON, its id. Wake the query cache here; do not keep data of your own. */
  onEvent: (event: ServerEvent) => void;
  /** The stream is away: refetch what the page shows. Called every 10 s until it is back. */
  onPoll: () => void;
};

type Entry = { url: string; handlers: { current: LiveHandlers } };

/** Browsers allow six connections to a server over HTTP/1.1, shared by all tabs: one that nobody looks at gives way. */
const HIDDEN_MS = 20_000;

class Hub {
  private entries: Entry[] = [];
  private connection: Connection | null = null;
  private state: ConnectionState = "off";
  private readonly listeners = new Set<() => void>();
  private hidden: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    document.addEventListener("visibilitychange", () => this.lookedAt());
    window.addEventListener("online", () => this.now());
  }

  add(entry: Entry): () => void {
    this.entries.push(entry);
    this.settle();
    return () => {
      this.entries = this.entries.filter((one) => one !== entry);
      this.settle();
    };
  }

  now(): void {
    this.connection?.now();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  current = (): ConnectionState => this.state;

  /** After the change of a page both its effects have run: only then is it known which connection is wanted. */
  private settle(): void {
    queueMicrotask(() => {
      const url = this.entries.at(-1)?.url;
      if (this.connection?.url === url) return;
      this.connection?.close();
      this.connection = url === undefined ? null : this.connect(url);
      this.connection?.open();
    });
  }

  private connect(url: string): Connection {
    return new Connection(url, {
      onEvent: (event) => this.entries.forEach((entry) => entry.handlers.current.onEvent(event)),
      onPoll: () => this.entries.forEach((entry) => entry.handlers.current.onPoll()),
      onState: (state) => {
        this.state = state;
        this.listeners.forEach((tell) => tell());
      },
    });
  }

  private lookedAt(): void {
    clearTimeout(this.hidden);
    if (document.visibilityState === "hidden") this.hidden = setTimeout(() => this.connection?.close(), HIDDEN_MS);
    else this.connection?.open();
  }
}

const hub = new Hub();

/** Listen on `url` while the component is mounted; null listens to nothing. */
export function useLive(url: string | null, handlers: LiveHandlers): void {
  const current = useRef(handlers);
  useEffect(() => {
    current.current = handlers;
  });
  useEffect(() => (url === null ? undefined : hub.add({ url, handlers: current })), [url]);
}

/** For the dot in the header. */
export function useConnectionState(): ConnectionState {
  return useSyncExternalStore(hub.subscribe, hub.current);
}

/** Do not wait for the next try. */
export function reconnectNow(): void {
  hub.now();
}
