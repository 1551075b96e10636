/** Two texts side by side or in one column, with unchanged parts folded. Its editor is fetched when first shown.
 * Props: `before`, `after`; `unified` one column; `language` "yaml" colours it; `height` of the box (default: up to 70 % of
 * the window); `beforeLabel`, `afterLabel` in place of "before" and "after". */
import { Spin } from "antd";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { useTheme } from "../lib/theme";
import { EmptyState } from "./empty-state";

const DiffEditor = lazy(() => import("./diff-editor"));

export type DiffProps = {
  before: string;
  after: string;
  unified?: boolean;
  language?: "yaml" | "text";
  height?: number;
  beforeLabel?: string;
  afterLabel?: string;
};

export function DiffView(props: DiffProps) {
  const { t, i18n } = useTranslation();
  const theme = useTheme();
  if (props.before === props.after) return <EmptyState title={t("diff.same")} />;
  return (
    <div className="diff" style={props.height ? { maxHeight: props.height } : {}} role="group" aria-label={t("diff.label")}>
      {!props.unified && (
        <div className="diff-heads" aria-hidden="true">
          <span>{props.beforeLabel ?? t("diff.before")}</span>
          <span>{props.afterLabel ?? t("diff.after")}</span>
        </div>
      )}
      <Suspense fallback={<Spin aria-label={t("loading")} />}>
        {/* A new editor for other texts: editors are not edited here, only made. */}
        <DiffEditor
          key={`${theme} ${i18n.language} ${String(props.unified)}`}
          before={props.before}
          after={props.after}
          unified={props.unified ?? false}
          language={props.language ?? "yaml"}
          dark={theme === "dark"}
          phrases={{ "$ unchanged lines": t("diff.collapsed", { count: "$" as unknown as number }) }}
          labels={[props.beforeLabel ?? t("diff.before"), props.afterLabel ?? t("diff.after")]}
        />
      </Suspense>
    </div>
  );
}
