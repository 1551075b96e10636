/** A file of what is shown: everything that matches, or what is chosen. */
import { DownloadOutlined } from "@ant-design/icons";
import { useTranslation } from "react-i18next";
import { MenuButton } from "../../components/menu-button";
import { exportUrl } from "./queries";
import type { Selection } from "./selection";

const MOST_IDS = 500;

/** The filters that mean exactly the selection; null when the api cannot be asked for it in one address. */
export function filterOf(selection: Selection): string[] | null {
  if (selection.kind === "matching") return selection.without.size === 0 ? [...selection.filter] : null;
  return selection.ids.size > 0 && selection.ids.size <= MOST_IDS ? [`id:in:${[...selection.ids].join(",")}`] : null;
}

export function ExportMenu(props: { filter: readonly string[]; sort: string | undefined; columns: string[]; selection: Selection }) {
  const { t } = useTranslation("machines");
  const chosen = filterOf(props.selection);
  const item = (key: string, filter: readonly string[] | null, format: "csv" | "json") => ({
    key: `${key}-${format}`,
    disabled: filter === null,
    label:
      filter === null ? (
        t(`export.${key}`, { format })
      ) : (
        <a href={exportUrl(filter, props.sort, props.columns, format)} download>
          {t(`export.${key}`, { format })}
        </a>
      ),
  });
  const items = [
    item("matching", props.filter, "csv"),
    item("matching", props.filter, "json"),
    item("chosen", chosen, "csv"),
    item("chosen", chosen, "json"),
  ];
  return (
    <MenuButton menu={{ items }} icon={<DownloadOutlined />}>
      {t("export.open")}
    </MenuButton>
  );
}
