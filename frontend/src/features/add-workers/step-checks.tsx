import { Alert, Button, Checkbox, Flex, Progress } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { CheckGrid } from "./check-grid";
import { CLUSTER, countsOf, failedRows, failuresOf, type Report, shownChecks, verdict } from "./check-results";
import type { useChecks } from "./use-checks";

function Failures({ report }: { report: Report }) {
  const { t, i18n } = useTranslation("add-workers");
  const rows = failedRows(report);
  if (rows.length === 0) return null;
  return (
    <section aria-labelledby="failures-title">
      <h3 id="failures-title">{t("checks.failures", { count: rows.length })}</h3>
      <ul style={{ margin: 0, paddingInlineStart: 18 }}>
        {rows.map((row) => (
          <li key={row.id}>
            <strong>{row.id === CLUSTER ? t("checks.cluster", { name: row.hostname }) : row.hostname}</strong>
            {failuresOf(row).map((result) => (
              <div key={result.check}>
                {result.message && pick(result.message, i18n.language)}{" "}
                {result.remedy && <span className="muted">{pick(result.remedy, i18n.language)}</span>}
              </div>
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function ChecksStep({ checks }: { checks: ReturnType<typeof useChecks> }) {
  const { t } = useTranslation("add-workers");
  const [onlyRed, setOnlyRed] = useState(true);
  const { report, problem, running, run, stop } = checks;
  const counts = countsOf(report);
  const failed = new Set(failedRows(report).map((row) => row.id).filter((id) => id !== CLUSTER));
  const columns = shownChecks(report, onlyRed);
  const state = verdict(report);
  const done = report.rows.length - counts.waiting;
  return (
    <Flex vertical gap={12}>
      <Flex gap={8} wrap align="center">
        <Button type={report.rows.length === 0 ? "primary" : "default"} loading={running} onClick={() => void run()}>
          {t("checks.run")}
        </Button>
        {running && <Button onClick={stop}>{t("checks.stop")}</Button>}
        {!running && failed.size > 0 && (
          <Button onClick={() => void run(failed)}>{t("checks.runFailed", { count: failed.size })}</Button>
        )}
        <Checkbox checked={onlyRed} onChange={(event) => setOnlyRed(event.target.checked)}>
          {t("checks.onlyRed")}
        </Checkbox>
        {report.rows.length > 0 && (
          <span aria-live="polite" className="muted">
            {t("checks.counts", counts)}
          </span>
        )}
      </Flex>
      {running && report.rows.length > 0 && (
        <Progress percent={Math.round((100 * done) / report.rows.length)} aria-label={t("checks.progress")} />
      )}
      {problem && <ProblemAlert problem={problem} />}
      {report.rows.length === 0 && !running && !problem && (
        <EmptyState title={t("checks.notRun")} text={t("checks.about")} />
      )}
      {report.ended && state === null && <Alert type="success" showIcon title={t("checks.allGood", { seconds: report.seconds })} />}
      {report.rows.length > 0 && columns.length > 0 && <CheckGrid report={report} columns={columns} />}
      <Failures report={report} />
    </Flex>
  );
}
