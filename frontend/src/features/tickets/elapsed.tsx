/** How long something took, counting while it runs. Props: `from`, `to` ISO texts or null; `running`. */
import { useSyncExternalStore } from "react";
import { duration } from "../../lib/time";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((tell) => tell());
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const still = () => () => undefined;

type Props = { from: string | null; to: string | null; running?: boolean; className?: string };

/** Seconds from `since` until now, once a second; 0 when nothing runs. */
function useRunning(since: string | null): number {
  const clock = useSyncExternalStore(since === null ? still : subscribe, () => (since === null ? 0 : now));
  return since === null ? 0 : Math.max(0, (clock - Date.parse(since)) / 1000);
}

export function Elapsed({ from, to, running = false, className }: Props) {
  const counted = useRunning(running && to === null ? from : null);
  if (from === null || (to === null && !running)) return null;
  const seconds = to === null ? counted : (Date.parse(to) - Date.parse(from)) / 1000;
  return <time className={className}>{duration(seconds)}</time>;
}

/** Time of several runs: `spent` seconds of those that are over, and the one that began at `since`. */
export function Spent({ spent, since, className }: { spent: number | null; since: string | null; className?: string }) {
  const counted = useRunning(since);
  if (spent === null && since === null) return null;
  return <time className={className}>{duration((spent ?? 0) + counted)}</time>;
}
