import { Alert } from "antd";
import { useTranslation } from "react-i18next";
import { pick, type Problem } from "../api/problem";

/** A refusal: cause, remedy, and the request id that an operator needs to find it in the log.
 * Props: `problem`; `onRetry` adds a button. */
export function ProblemAlert({ problem, action }: { problem: Problem; action?: React.ReactNode }) {
  const { t, i18n } = useTranslation();
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      action={action}
      title={pick(problem.cause, i18n.language)}
      description={
        <>
          <div>{pick(problem.remedy, i18n.language)}</div>
          {problem.requestId && <small className="muted">{t("problem.request", { id: problem.requestId })}</small>}
        </>
      }
    />
  );
}
