/** A query's key begins with the topic that makes it stale; the server's hints name the topic. */
import type { QueryClient } from "@tanstack/react-query";

export const TOPICS = ["inbox", "tickets", "machines", "clusters", "cmdb", "engine"] as const;
export type Topic = (typeof TOPICS)[number];

export function topicOf(data: unknown): Topic | null {
  const topic = typeof data === "object" && data !== null && "topic" in data ? data.topic : null;
  return TOPICS.find((known) => known === topic) ?? null;
}

/** Marks topics stale at most once per `ms`: a change of a thousand machines is one refetch. */
export class StaleTopics {
  private readonly waiting = new Set<Topic>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly queryClient: QueryClient,
    private readonly ms = 1000,
  ) {}

  mark(...topics: readonly Topic[]): void {
    topics.forEach((topic) => this.waiting.add(topic));
    if (this.timer !== undefined) return;
    this.flush();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.waiting.size > 0) this.mark();
    }, this.ms);
  }

  private flush(): void {
    for (const topic of this.waiting) void this.queryClient.invalidateQueries({ queryKey: [topic] });
    this.waiting.clear();
  }
}
