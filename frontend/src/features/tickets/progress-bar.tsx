/** How much of a ticket is done and failed, as bar and numbers. Props: `progress` {done, failed, total}. */
import { useTranslation } from "react-i18next";
import type { Progress } from "./types";

export function ProgressBar({ progress }: { progress: Progress }) {
  const { t } = useTranslation("tickets");
  const { done, failed, total } = progress;
  if (total === 0) return null;
  const part = (count: number) => `${(100 * Math.min(count, total)) / total}%`;
  return (
    <span className="progress" role="img" aria-label={t("progress.label", progress)}>
      <span className="progress-bar">
        <span data-part="done" style={{ width: part(done) }} />
        <span data-part="failed" style={{ width: part(failed) }} />
      </span>
      <span className="progress-text" aria-hidden="true">
        {done}/{total}
        {failed > 0 && <b className="error-text"> {t("progress.failed", { count: failed })}</b>}
      </span>
    </span>
  );
}
