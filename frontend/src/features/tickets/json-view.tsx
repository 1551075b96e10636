/** JSON of others, folded, as text. Props: `value`; `inline` short enough for a line; `open` unfolded at first. */
import { useTranslation } from "react-i18next";
import { isRecord } from "./types";

const SHORT = 120;

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (isRecord(value) && Object.keys(value).length === 0) || (Array.isArray(value) && value.length === 0);
}

export function JsonView({ value, inline = false, open = false }: { value: unknown; inline?: boolean; open?: boolean }) {
  const { t } = useTranslation("tickets");
  if (isEmpty(value)) return null;
  const short = JSON.stringify(value);
  if (inline || (typeof value !== "object" && short.length < SHORT)) {
    return (
      <code className="json-line">
        <bdi>{typeof value === "string" ? value : short}</bdi>
      </code>
    );
  }
  return (
    <details className="json" open={open}>
      <summary>{t("json.show")}</summary>
      <pre className="mono" tabIndex={0}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </details>
  );
}
