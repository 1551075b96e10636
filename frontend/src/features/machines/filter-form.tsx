/** One filter: column, operator, value. Columns with few values offer them with how often each occurs. */
import { useQuery } from "@tanstack/react-query";
import { Button, Flex, Input, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { FACETS, type Filter, KINDS, operatorsOf } from "./filters";
import { facetQuery } from "./queries";

type Props = { begin: Filter | null; others: readonly string[]; onDone: (filter: Filter) => void };
type ValueProps = { filter: Filter; others: readonly string[]; onChange: (value: string) => void };

function Values({ filter, others, onChange }: ValueProps) {
  const { t } = useTranslation("machines");
  const facet = useQuery(facetQuery(others, filter.column));
  const options = (facet.data?.facets[filter.column]?.values ?? []).map(({ value, count }) => ({
    value,
    label: `${value === "" ? t("chip.empty") : filter.column === "state" ? t(`state.${value}`) : value} (${count})`,
  }));
  return (
    <Select
      mode="multiple"
      style={{ width: "100%" }}
      loading={facet.isLoading}
      value={filter.value === "" ? [] : filter.value.split(",")}
      options={options}
      aria-label={t("filter.value")}
      placeholder={t("filter.value")}
      onChange={(values: string[]) => onChange(values.join(","))}
    />
  );
}

function Value(props: ValueProps) {
  const { t } = useTranslation("machines");
  const { filter, onChange } = props;
  if (filter.operator === "in" && FACETS.has(filter.column)) return <Values {...props} />;
  if (filter.operator === "null") {
    const options = ["true", "false"].map((value) => ({ value, label: t(`filter.null.${value}`) }));
    return <Select value={filter.value || null} options={options} onChange={onChange} aria-label={t("filter.value")} />;
  }
  const hint = filter.operator === "within" ? "10.1.0.0/16" : KINDS[filter.column] === "time" ? "2026-01-01T00:00:00Z" : t("filter.value");
  return (
    <Input
      value={filter.value}
      placeholder={hint}
      aria-label={t("filter.value")}
      onChange={(event) => onChange(event.target.value.trim())}
    />
  );
}

export default function FilterForm({ begin, others, onDone }: Props) {
  const { t } = useTranslation("machines");
  const [filter, setFilter] = useState<Filter>(begin ?? { column: "datacenter", operator: "in", value: "" });
  const operators = operatorsOf(filter.column);
  return (
    <form
      aria-label={t("addFilter")}
      style={{ width: 320 }}
      onSubmit={(event) => {
        event.preventDefault();
        if (filter.value !== "") onDone(filter);
      }}
    >
      <Flex vertical gap={8}>
        <Select
          value={filter.column}
          showSearch={{ optionFilterProp: "label" }}
          options={Object.keys(KINDS).map((column) => ({ value: column, label: t(`column.${column}`) }))}
          aria-label={t("filter.column")}
          onChange={(column) => setFilter({ column, operator: operatorsOf(column)[0]!, value: "" })}
        />
        <Select
          value={filter.operator}
          options={operators.map((operator) => ({ value: operator, label: t(`operator.${operator}`) }))}
          aria-label={t("filter.operator")}
          onChange={(operator) => setFilter({ ...filter, operator, value: "" })}
        />
        <Value filter={filter} others={others} onChange={(value) => setFilter({ ...filter, value })} />
        <Button htmlType="submit" type="primary" disabled={filter.value === ""}>
          {t("filter.apply")}
        </Button>
      </Flex>
    </form>
  );
}
