/** A moment: relative for reading, exact in the person's zone on hover, focus and for machines.
 * Props: `at` ISO text or null (shows a dash); `exact` shows the exact time as the text. */
import { Tooltip } from "antd";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { exactTime, relativeTime } from "../lib/time";

const TICK_MS = 20_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all texts of a page. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((tell) => tell());
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export function TimeText({ at, exact = false }: { at: string | null; exact?: boolean }) {
  const { i18n } = useTranslation();
  const clock = useSyncExternalStore(subscribe, () => now);
  if (at === null) return <span className="muted">–</span>;
  const when = new Date(at);
  const precise = exactTime(when, i18n.language);
  return (
    <Tooltip title={precise}>
      <time dateTime={at}>{exact ? precise : relativeTime(when, clock, i18n.language)}</time>
    </Tooltip>
  );
}
