/** The one event stream of a page: resumes by event id, backs off, and says when polling has to take over. */
import { reportSessionEnded } from "../api/http";
import { readStream, type ServerEvent, StreamRefused } from "./sse";

export type ConnectionState = "off" | "connecting" | "live" | "reconnecting" | "polling";

export type ConnectionOptions = {
  onEvent: (event: ServerEvent) => void;
  onState: (state: ConnectionState) => void;
  /** Called at once when polling begins and then every POLL_MS, until the stream is back. */
  onPoll: () => void;
  read?: typeof readStream;
};

const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** The server speaks every 15 s; after this the connection is dead whatever TCP thinks. */
const SILENCE_MS = 40_000;
const POLL_MS = 10_000;
const FAILURES_UNTIL_POLLING = 3;

/** Wait before try number `failures` + 1; spread, so that a restarted api is not met by everybody at once. */
export function backOff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return full / 2 + (full / 2) * random();
}

export class Connection {
  private readonly read: typeof readStream;
  private stop: AbortController | null = null;
  private lastId: string | null = null;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private poll: ReturnType<typeof setInterval> | undefined;
  private state: ConnectionState = "off";

  constructor(
    readonly url: string,
    private readonly options: ConnectionOptions,
  ) {
    this.read = options.read ?? readStream;
  }

  open(): void {
    if (this.stop) return;
    const stop = new AbortController();
    this.stop = stop;
    if (this.state === "off") this.tell("connecting");
    this.listen();
    this.read(this.url, {
      lastEventId: this.lastId,
      signal: stop.signal,
      onOpen: () => this.opened(),
      onSign: () => this.listen(),
      onEvent: (event) => {
        if (stop.signal.aborted) return;
        this.lastId = event.id ?? this.lastId;
        this.options.onEvent(event);
      },
    }).then(
      () => this.ended(stop, null),
      (error: unknown) => this.ended(stop, error),
    );
  }

  close(): void {
    this.stop?.abort();
    this.stop = null;
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    clearInterval(this.poll);
    this.poll = undefined;
    this.tell("off");
  }

  /** Try again at once: the person asked, the network came back, somebody signed in. */
  now(): void {
    if (this.stop) return;
    clearTimeout(this.retry);
    this.open();
  }

  private opened(): void {
    // A first opening needs no refetch: the page has just loaded. What was missed since is replayed by id.
    this.failures = 0;
    clearInterval(this.poll);
    this.poll = undefined;
    this.tell("live");
  }

  private ended(stop: AbortController, error: unknown): void {
    if (this.stop !== stop) return; // closed by us, or replaced
    this.stop = null;
    stop.abort(); // what broke on our side would keep its connection, and a browser has only six to a server
    clearTimeout(this.silence);
    if (error === null) {
      // The server ends streams now and then on purpose; that is no failure and not worth a flicker.
      this.retry = setTimeout(() => this.open(), 100);
      return;
    }
    this.failures += 1;
    const status = error instanceof StreamRefused ? error.status : 0;
    if (status === 401) reportSessionEnded();
    const gone = status === 403 || status === 404;
    if (gone || this.failures >= FAILURES_UNTIL_POLLING) this.startPolling();
    else this.tell("reconnecting");
    this.retry = setTimeout(() => this.open(), gone || status === 401 ? LONGEST_MS : backOff(this.failures));
  }

  private startPolling(): void {
    this.tell("polling");
    if (this.poll !== undefined) return;
    this.options.onPoll();
    this.poll = setInterval(() => this.options.onPoll(), POLL_MS);
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const dead = this.stop;
      dead?.abort();
      if (dead) this.ended(dead, new Error("silence"));
    }, SILENCE_MS);
  }

  private tell(state: ConnectionState): void {
    if (this.state === state) return;
    this.state = state;
    this.options.onState(state);
  }
}
