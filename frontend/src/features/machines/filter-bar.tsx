/** Filters as chips: a quick search, one chip per filter, and another by column, operator and value. */
import { PlusOutlined } from "@ant-design/icons";
import { Button, Flex, Popover, Tag } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { SearchBox } from "../../components/search-box";
import { parsed, quick, withFilter, withoutFilter } from "./filters";

const FilterForm = lazy(() => import("./filter-form"));

type Props = { filter: readonly string[]; onFilter: (filter: string[]) => void };

/** `rack contains B12`, in the person's words; a choice by ids only says how many. */
function Chip({ text, onEdit, onDrop }: { text: string; onEdit: () => void; onDrop: () => void }) {
  const { t } = useTranslation("machines");
  const one = parsed(text);
  if (!one) return null;
  const values = one.value.split(",");
  const shown =
    one.column === "id"
      ? t("chip.ids", { count: values.length })
      : `${t(`column.${one.column}`)} ${t(`operator.${one.operator}`)} ${values.map((value) => (one.column === "state" ? t(`state.${value}`) : value === "" ? t("chip.empty") : value)).join(", ")}`;
  return (
    <Tag className="chip" closable={{ closeIcon: undefined, "aria-label": t("chip.drop", { text: shown }) } as never} onClose={onDrop}>
      {one.column === "id" ? shown : (
        <button type="button" className="chip-text ellipsis" onClick={onEdit} title={shown}>
          {shown}
        </button>
      )}
    </Tag>
  );
}

export function FilterBar({ filter, onFilter }: Props) {
  const { t } = useTranslation("machines");
  const [editing, setEditing] = useState<string | "new" | null>(null);
  const old = editing === null || editing === "new" ? null : parsed(editing);
  const form = (
    <Suspense fallback={<div className="filter-form" />}>
      <FilterForm
        key={editing ?? ""}
        begin={old}
        others={old && editing ? withoutFilter(filter, editing) : filter}
        onDone={(made) => {
          const rest = editing && editing !== "new" ? withoutFilter(filter, editing) : filter;
          onFilter(withFilter(rest, made));
          setEditing(null);
        }}
      />
    </Suspense>
  );
  return (
    <Flex gap={8} wrap align="center" role="search" aria-label={t("filters")}>
      <SearchBox label={t("quick")} onSearch={(value) => onFilter(withFilter(filter, quick(value)))} />
      {filter.map((one) => (
        <Chip key={one} text={one} onEdit={() => setEditing(one)} onDrop={() => onFilter(withoutFilter(filter, one))} />
      ))}
      <Popover
        trigger="click"
        open={editing !== null}
        onOpenChange={(open) => setEditing(open ? "new" : null)}
        content={form}
        destroyOnHidden
        placement="bottomLeft"
      >
        <Button size="small" icon={<PlusOutlined />} aria-haspopup="dialog">
          {t("addFilter")}
        </Button>
      </Popover>
      {filter.length > 1 && (
        <Button size="small" type="text" onClick={() => onFilter([])}>
          {t("clearFilters")}
        </Button>
      )}
    </Flex>
  );
}
