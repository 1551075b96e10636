/** A text diff as the api made it, line by line. Props: `lines`; `label`. */
import { Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";

const FIRST = 1500;

export function kindOf(line: string): "head" | "hunk" | "add" | "remove" | "same" {
  if (line.startsWith("+++") || line.startsWith("---")) return "head";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "add";
  return line.startsWith("-") ? "remove" : "same";
}

export function UnifiedDiff({ lines, label }: { lines: readonly string[]; label: string }) {
  const { t } = useTranslation("tickets");
  const [all, setAll] = useState(false);
  const shown = all ? lines : lines.slice(0, FIRST);
  return (
    <div>
      <pre className="plan-diff mono" tabIndex={0} aria-label={label} role="region">
        {shown.map((line, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- a frozen text: its lines have no other name
          <span key={at} className="diff-line" data-kind={kindOf(line)}>
            {line || " "}
          </span>
        ))}
      </pre>
      {shown.length < lines.length && (
        <Button size="small" onClick={() => setAll(true)}>
          {t("plan.diffAll", { count: lines.length })}
        </Button>
      )}
    </div>
  );
}
