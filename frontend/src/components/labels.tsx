/** Labels and taints of a node as Kubernetes writes them.
 * Props: `labels` name → value; `taints` key, value, effect; `max` how many before "n more" (all in its tooltip). */
import { Tooltip } from "antd";
import { useTranslation } from "react-i18next";

export type Taint = { key: string; value?: string | null; effect: string };

export const labelText = (key: string, value: string) => (value === "" ? key : `${key}=${value}`);
export const taintText = ({ key, value, effect }: Taint) => `${key}${value ? `=${value}` : ""}:${effect}`;

export function Labels(props: {
  labels?: Readonly<Record<string, string>>;
  taints?: readonly Taint[];
  max?: number;
}) {
  const { t } = useTranslation();
  const texts = [
    ...Object.entries(props.labels ?? {}).map(([key, value]) => ({ text: labelText(key, value), taint: false })),
    ...(props.taints ?? []).map((taint) => ({ text: taintText(taint), taint: true })),
  ];
  if (texts.length === 0) return <span className="muted">{t("labels.none")}</span>;
  const shown = texts.slice(0, props.max ?? texts.length);
  const rest = texts.slice(shown.length);
  return (
    <span className="labels">
      {shown.map(({ text, taint }) => (
        <code key={text} className="label" data-taint={taint || undefined} title={text}>
          {text}
        </code>
      ))}
      {rest.length > 0 && (
        <Tooltip title={rest.map(({ text }) => <div key={text}>{text}</div>)}>
          <span className="muted">{t("labels.more", { count: rest.length })}</span>
        </Tooltip>
      )}
    </span>
  );
}
