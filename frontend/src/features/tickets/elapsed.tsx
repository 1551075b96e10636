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

export function Elapsed({ from, to, running = false, className }: Props) {
  const counting = running && from !== null && to === null;
  const clock = useSyncExternalStore(counting ? subscribe : still, () => (counting ? now : 0));
  if (from === null) return null;
  const end = to === null ? (counting ? Math.max(clock, Date.parse(from)) : null) : Date.parse(to);
  if (end === null) return null;
  return <time className={className}>{duration((end - Date.parse(from)) / 1000)}</time>;
}
