/** Machines × checks. Props: `report`; `columns` the checks to show. A cell says its state in words, not by colour only. */
import { Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { type CheckInfo, type CheckResult, CLUSTER, type Report, type Row } from "./check-results";

const SIGNS = { ok: "✓", failed: "✕", warning: "!", skipped: "–" };

function Cell({ result }: { result: CheckResult | undefined }) {
  const { t, i18n } = useTranslation("add-workers");
  if (!result) return <span className="muted">·</span>;
  const words = t(`checks.state.${result.state}`);
  const message = result.message ? pick(result.message, i18n.language) : "";
  return (
    <Tooltip title={message || words}>
      <span className={`cell-${result.state}`}>
        <span aria-hidden="true">{SIGNS[result.state]}</span>
        <span className="visually-hidden">{`${words} ${message}`}</span>
      </span>
    </Tooltip>
  );
}

function GridRow({ row, columns }: { row: Row; columns: CheckInfo[] }) {
  const { t } = useTranslation("add-workers");
  return (
    <tr>
      <th scope="row">
        {row.id === CLUSTER ? t("checks.cluster", { name: row.hostname }) : row.hostname}
        {!row.done && <span className="muted"> {t("checks.waiting")}</span>}
      </th>
      {columns.map((check) => (
        <td key={check.id}>
          <Cell result={row.results.get(check.id)} />
        </td>
      ))}
    </tr>
  );
}

export function CheckGrid({ report, columns }: { report: Report; columns: CheckInfo[] }) {
  const { t, i18n } = useTranslation("add-workers");
  return (
    <div className="check-grid" tabIndex={0} role="region" aria-label={t("checks.grid")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("machines.hostname")}</th>
            {columns.map((check) => (
              <th key={check.id} scope="col">
                {pick(check.title, i18n.language)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {report.rows.map((row) => (
            <GridRow key={row.id} row={row} columns={columns} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
