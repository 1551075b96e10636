/** Reading `text/event-stream`. A fetch stream, not EventSource: that one hides the status (a 401 would look like a lost
 * network), waits a fixed time between tries, and cannot be told to resume behind an id of ours after it was closed. */

export type ServerEvent = { id: string | null; event: string; data: unknown };

function parseData(lines: string[]): unknown {
  const text = lines.join("\n");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Takes text as it arrives, cut anywhere, and gives the events that are complete. */
export class EventParser {
  private rest = "";
  private id: string | null = null;
  private event = "message";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    this.rest += text;
    // A lone \r at the end may be half of a line break that the next piece completes.
    const end = this.rest.endsWith("\r") ? this.rest.length - 1 : this.rest.length;
    const lines = this.rest.slice(0, end).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + this.rest.slice(end);
    for (const line of lines) this.take(line, found);
    return found;
  }

  private take(line: string, found: ServerEvent[]): void {
    if (line === "") {
      if (this.data.length > 0) found.push({ id: this.id, event: this.event, data: parseData(this.data) });
      this.event = "message";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }
}

export class StreamRefused extends Error {
  constructor(readonly status: number) {
    super(`stream refused: ${status}`);
  }
}

type Options = {
  lastEventId: string | null;
  signal: AbortSignal;
  onOpen: () => void;
  onEvent: (event: ServerEvent) => void;
  /** Anything arrived, comments too. */
  onSign: () => void;
};

/** Reads until the server ends the stream (resolves) or something breaks (throws). */
export async function readStream(url: string, options: Options): Promise<void> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (options.lastEventId !== null) headers["Last-Event-ID"] = options.lastEventId;
  const response = await fetch(url, { headers, signal: options.signal, cache: "no-store" });
  if (!response.ok || !response.body) throw new StreamRefused(response.status);
  options.onOpen();
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    options.onSign();
    for (const event of parser.push(value)) options.onEvent(event);
  }
}
