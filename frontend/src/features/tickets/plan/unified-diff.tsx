/** A text diff as the api made it: line by line, or both sides beside each other. Props: `lines`; `label`. */
import { Button, Flex, Segmented } from "antd";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { DiffView } from "../../../components/diff-view";
import { type DiffLine, excerpts, numbered } from "./diff-lines";

const FIRST = 1500;

function Line({ line }: { line: DiffLine }) {
  return (
    <span className="diff-line" data-kind={line.kind}>
      <span className="diff-number">{line.before}</span>
      <span className="diff-number">{line.after}</span>
      {line.text || " "}
    </span>
  );
}

function Lines({ lines, label }: { lines: readonly string[]; label: string }) {
  const { t } = useTranslation("tickets");
  const [all, setAll] = useState(false);
  const found = useMemo(() => numbered(lines), [lines]);
  const shown = all ? found : found.slice(0, FIRST);
  return (
    <>
      <pre className="plan-diff mono" tabIndex={0} aria-label={label} role="region">
        {shown.map((line, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- a frozen text: its lines have no other name
          <Line key={at} line={line} />
        ))}
      </pre>
      {shown.length < found.length && (
        <Button size="small" onClick={() => setAll(true)}>
          {t("plan.diffAll", { count: found.length })}
        </Button>
      )}
    </>
  );
}

export function UnifiedDiff({ lines, label }: { lines: readonly string[]; label: string }) {
  const { t } = useTranslation("tickets");
  const [sides, setSides] = useState(false);
  const both = useMemo(() => (sides ? excerpts(lines) : null), [lines, sides]);
  return (
    <Flex vertical gap={6}>
      <Segmented
        size="small"
        className="diff-choice"
        aria-label={t("plan.view")}
        value={sides}
        onChange={setSides}
        options={[
          { value: false, label: t("plan.unified") },
          { value: true, label: t("plan.sides") },
        ]}
      />
      {both ? <DiffView {...both} /> : <Lines lines={lines} label={label} />}
    </Flex>
  );
}
