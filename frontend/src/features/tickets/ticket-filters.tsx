/** Filters of the ticket list; all of them live in the address. */
import { useQuery } from "@tanstack/react-query";
import { Button, Flex, Input, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { directoryQuery } from "../../components/user-name";
import { meQuery } from "../../lib/queries";
import { useFlowTitle } from "./flow-title";
import { clusterNamesQuery, flowsQuery } from "./queries";
import { type ListSearch, statesOf } from "./search";
import { TICKET_STATES } from "./types";

type Props = { search: ListSearch; onChange: (next: ListSearch) => void };
type Option = { value: string; label: string };

const byLabel = (one: Option, other: Option) => one.label.localeCompare(other.label);

function without(search: ListSearch, key: keyof ListSearch, value: string | undefined): ListSearch {
  const { [key]: _before, ...rest } = search;
  return value ? { ...rest, [key]: value } : rest;
}

function Words({ search, onChange }: Props) {
  const { t } = useTranslation("tickets");
  const [text, setText] = useState(search.q ?? "");
  return (
    <Input.Search
      className="filter-words"
      allowClear
      value={text}
      placeholder={t("filter.words")}
      aria-label={t("filter.words")}
      onChange={(event) => setText(event.target.value)}
      onSearch={(value) => onChange(without(search, "q", value.trim()))}
    />
  );
}

function One({ name, label, options, search, onChange }: Props & { name: "flow" | "cluster" | "requester"; label: string; options: Option[] }) {
  return (
    <Select
      className="filter-one"
      allowClear
      showSearch={{ optionFilterProp: "label" }}
      placeholder={label}
      aria-label={label}
      options={options}
      value={search[name] ?? null}
      onChange={(value: string | null | undefined) => onChange(without(search, name, value ?? undefined))}
    />
  );
}

export function TicketFilters({ search, onChange }: Props) {
  const { t } = useTranslation("tickets");
  const title = useFlowTitle();
  const { data: me } = useQuery(meQuery);
  const flows = useQuery(flowsQuery);
  const clusters = useQuery(clusterNamesQuery);
  const people = useQuery(directoryQuery);
  const flowOptions = (flows.data ?? []).map(({ name }) => ({ value: name, label: title(name) }));
  const clusterOptions = (clusters.data ?? []).map(({ id, name }) => ({ value: id, label: name }));
  const peopleOptions = Object.values(people.data ?? {})
    .map(({ id, display_name }) => ({ value: id, label: id === me?.id ? t("filter.me", { name: display_name }) : display_name }))
    .sort(byLabel);
  const { sort, ...filters } = search;
  return (
    <Flex wrap gap={8} role="search" aria-label={t("filter.label")}>
      <Words key={search.q ?? ""} search={search} onChange={onChange} />
      <Select
        className="filter-states"
        mode="multiple"
        allowClear
        maxTagCount="responsive"
        placeholder={t("list.state")}
        aria-label={t("list.state")}
        options={TICKET_STATES.map((state) => ({ value: state, label: t(`ticket.${state}`) }))}
        value={statesOf(search)}
        onChange={(states: string[]) => onChange(without(search, "state", states.join(",")))}
      />
      <One name="flow" label={t("list.flow")} options={flowOptions} search={search} onChange={onChange} />
      <One name="cluster" label={t("list.cluster")} options={clusterOptions} search={search} onChange={onChange} />
      <One name="requester" label={t("list.requester")} options={peopleOptions} search={search} onChange={onChange} />
      {Object.keys(filters).length > 0 && (
        <Button type="link" onClick={() => onChange(sort ? { sort } : {})}>
          {t("filter.clear")}
        </Button>
      )}
    </Flex>
  );
}
