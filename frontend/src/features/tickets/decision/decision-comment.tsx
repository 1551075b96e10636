/** The words of a decision, with common reasons to begin from. Props: `value`, `missing` (a rejection needs one), `onChange`. */
import { Button, Input } from "antd";
import { useTranslation } from "react-i18next";

const TEMPLATES = ["targets", "window", "diff", "checks"] as const;

export function DecisionComment({ value, missing, onChange }: { value: string; missing: boolean; onChange: (value: string) => void }) {
  const { t } = useTranslation("tickets");
  const add = (text: string) => onChange(value === "" ? text : `${value}\n${text}`);
  return (
    <div>
      <label className="action-reason">
        {t("decide.comment")}
        <Input.TextArea
          rows={3}
          maxLength={4000}
          value={value}
          status={missing ? "error" : ""}
          onChange={(event) => onChange(event.target.value)}
          data-testid="decision-comment"
        />
      </label>
      {missing && (
        <small className="error-text" role="alert">
          {t("decide.reasonMissing")}
        </small>
      )}
      <div className="templates" role="group" aria-label={t("decide.templates")}>
        {TEMPLATES.map((name) => (
          <Button key={name} size="small" onClick={() => add(t(`decide.template.${name}`))}>
            {t(`decide.template.${name}`)}
          </Button>
        ))}
      </div>
    </div>
  );
}
