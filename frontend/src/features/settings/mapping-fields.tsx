/** Which value of a CMDB row fills which field of a machine. Must stand inside the form of a source. */
import { DeleteOutlined, PlusOutlined } from "@ant-design/icons";
import { Button, Flex, Form, Input, InputNumber, Select } from "antd";
import { useTranslation } from "react-i18next";
import { OPTIONAL, REQUIRED, type Rule } from "./cmdb-state";

function MappingRow({ index, rule, onRemove }: { index: number; rule: Rule; onRemove: () => void }) {
  const { t } = useTranslation("settings");
  const required = REQUIRED.includes(rule.field);
  const name = t(`cmdb.field.${rule.field}`);
  return (
    <div className="mapping-row" role="group" aria-label={name}>
      <span>
        {name} {required && <span className="muted">*</span>}
        <Form.Item name={[index, "field"]} hidden>
          <Input />
        </Form.Item>
      </span>
      <Form.Item name={[index, "path"]} noStyle rules={[{ required, message: t("cmdb.pathMissing", { name }) }]}>
        <Input className="mono" placeholder={t("cmdb.path")} aria-label={t("cmdb.pathOf", { name })} autoComplete="off" />
      </Form.Item>
      <Form.Item name={[index, "default"]} noStyle>
        <Input placeholder={t("cmdb.default")} aria-label={t("cmdb.defaultOf", { name })} autoComplete="off" />
      </Form.Item>
      <Flex gap={4}>
        <Form.Item name={[index, "scale"]} noStyle>
          <InputNumber min={1} max={1_048_576} aria-label={t("cmdb.scaleOf", { name })} style={{ width: 76 }} />
        </Form.Item>
        {!required && <Button icon={<DeleteOutlined />} onClick={onRemove} aria-label={t("cmdb.dropField", { name })} />}
      </Flex>
    </div>
  );
}

export function MappingFields() {
  const { t } = useTranslation("settings");
  const form = Form.useFormInstance();
  const rules = (Form.useWatch("rules", { form, preserve: true }) ?? []) as Rule[];
  const used = new Set(rules.map((rule) => rule.field));
  const free = OPTIONAL.filter((field) => !used.has(field));
  return (
    <section aria-labelledby="mapping-title" style={{ marginBottom: 16 }}>
      <h2 id="mapping-title" className="card-title">{t("cmdb.mapping")}</h2>
      <p className="muted">{t("cmdb.mappingHelp")}</p>
      <Form.List name="rules">
        {(rows, { add, remove }) => (
          <Flex vertical gap={6}>
            {rows.map((row) => {
              const rule = rules[row.name];
              return rule && <MappingRow key={row.key} index={row.name} rule={rule} onRemove={() => remove(row.name)} />;
            })}
            <Select<string>
              value={null as unknown as string}
              style={{ width: 220 }}
              suffixIcon={<PlusOutlined />}
              placeholder={t("cmdb.addField")}
              aria-label={t("cmdb.addField")}
              options={free.map((field) => ({ value: field, label: t(`cmdb.field.${field}`) }))}
              onChange={(field) => add({ field, path: "", scale: 1, default: "" })}
            />
          </Flex>
        )}
      </Form.List>
    </section>
  );
}
