import { useQuery } from "@tanstack/react-query";
import { DeleteOutlined, PlusOutlined } from "@ant-design/icons";
import { Button, Checkbox, Flex, Input, InputNumber, Select } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { batchSizes, type Draft, type LabelRow, missing, type TaintRow } from "./draft";
import { previewQuery } from "./queries";

type Props = { draft: Draft; onChange: (draft: Draft) => void };
const EFFECTS: TaintRow["effect"][] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** The list with one row changed, or taken out by null. */
function replaced<Row>(rows: Row[], index: number, row: Row | null): Row[] {
  return rows.flatMap((old, at) => (at !== index ? [old] : row === null ? [] : [row]));
}

function Pair<Row extends LabelRow>(props: { kind: "labels" | "taints"; row: Row; n: number; onChange: (row: Row | null) => void; children?: React.ReactNode }) {
  const { t } = useTranslation("add-workers");
  const label = (part: string) => t(`settings.${props.kind}.${part}`, { n: props.n });
  return (
    <div className="setting-row">
      <Input
        className="mono"
        value={props.row.key}
        placeholder={t("settings.key")}
        aria-label={label("key")}
        onChange={(event) => props.onChange({ ...props.row, key: event.target.value.trim() })}
      />
      <Input
        className="mono"
        value={props.row.value}
        placeholder={t("settings.value")}
        aria-label={label("value")}
        onChange={(event) => props.onChange({ ...props.row, value: event.target.value.trim() })}
      />
      {props.children ?? <span />}
      <Button icon={<DeleteOutlined />} onClick={() => props.onChange(null)} aria-label={label("drop")} />
    </div>
  );
}

function Labels({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  return (
    <section aria-labelledby="labels-title">
      <h3 id="labels-title">{t("settings.labels")}</h3>
      <Flex vertical gap={6} align="start">
        {draft.labels.map((row, index) => (
          <Pair
            key={index}
            kind="labels"
            row={row}
            n={index + 1}
            onChange={(changed) => onChange({ ...draft, labels: replaced(draft.labels, index, changed) })}
          />
        ))}
        <Button icon={<PlusOutlined />} onClick={() => onChange({ ...draft, labels: [...draft.labels, { key: "", value: "" }] })}>
          {t("settings.addLabel")}
        </Button>
      </Flex>
    </section>
  );
}

function Taints({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  const fresh: TaintRow = { key: "", value: "", effect: "NoSchedule" };
  const set = (index: number, row: TaintRow | null) => onChange({ ...draft, taints: replaced(draft.taints, index, row) });
  return (
    <section aria-labelledby="taints-title">
      <h3 id="taints-title">{t("settings.taints")}</h3>
      <Flex vertical gap={6} align="start">
        {draft.taints.map((row, index) => (
          <Pair key={index} kind="taints" row={row} n={index + 1} onChange={(changed) => set(index, changed)}>
            <Select
              value={row.effect}
              options={EFFECTS.map((effect) => ({ value: effect, label: effect }))}
              aria-label={t("settings.taints.effect", { n: index + 1 })}
              onChange={(effect) => set(index, { ...row, effect })}
            />
          </Pair>
        ))}
        <Button icon={<PlusOutlined />} onClick={() => onChange({ ...draft, taints: [...draft.taints, fresh] })}>
          {t("settings.addTaint")}
        </Button>
      </Flex>
    </section>
  );
}

function Initialise({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  const parts = ["docker", "kernel", "gpu"] as const;
  return (
    <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
      <legend>
        <h3>{t("settings.initialise")}</h3>
      </legend>
      <Flex vertical gap={4}>
        {parts.map((part) => (
          <Checkbox
            key={part}
            checked={draft.initialise[part]}
            onChange={(event) => onChange({ ...draft, initialise: { ...draft.initialise, [part]: event.target.checked } })}
          >
            {t(`settings.initialise.${part}`)}
          </Checkbox>
        ))}
      </Flex>
    </fieldset>
  );
}

function BatchPlan({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  const limits = { canary: [0, 10], size: [1, 50], budget: [0, 50] } as const;
  const sizes = batchSizes(draft.machines.length, draft.batches);
  return (
    <section aria-labelledby="batches-title">
      <h3 id="batches-title">{t("settings.batches")}</h3>
      <Flex gap={16} wrap>
        {(["canary", "size", "budget"] as const).map((name) => (
          <label key={name}>
            <div>{t(`settings.batches.${name}`)}</div>
            <InputNumber
              min={limits[name][0]}
              max={limits[name][1]}
              value={draft.batches[name]}
              onChange={(value) => onChange({ ...draft, batches: { ...draft.batches, [name]: value ?? limits[name][0] } })}
            />
          </label>
        ))}
      </Flex>
      <Flex gap={4} wrap align="center" style={{ marginTop: 8 }} role="img" aria-label={t("settings.batches.order", { sizes: sizes.join(", ") })}>
        {sizes.map((size, index) => (
          <span key={index} className="batch" data-canary={(index === 0 && draft.batches.canary > 0) || undefined}>
            {size}
          </span>
        ))}
      </Flex>
      <p className="muted">{t("settings.batches.help", { budget: draft.batches.budget })}</p>
    </section>
  );
}

/** What the api says of labels and taints is asked as soon as the rows are complete: one rule, on the server. */
export function SettingsStep({ draft, onChange }: Props) {
  const complete = missing(draft, "settings") === null;
  const preview = useQuery({ ...previewQuery(draft), enabled: complete && missing(draft, "machines") === null });
  return (
    <Flex vertical gap={16}>
      {complete && preview.error && <ProblemAlert problem={asProblem(preview.error)} />}
      <Labels draft={draft} onChange={onChange} />
      <Taints draft={draft} onChange={onChange} />
      <Initialise draft={draft} onChange={onChange} />
      <BatchPlan draft={draft} onChange={onChange} />
    </Flex>
  );
}
