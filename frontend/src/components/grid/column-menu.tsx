/** Which columns are shown and pinned, and how high rows are.
 * Props: `columns`, `groups`, `state`, `onState` as for the grid. */
import { SettingOutlined } from "@ant-design/icons";
import { Button, Popover } from "antd";
import { type ComponentType, lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { ColumnMenuProps } from "./column-choice";

const ColumnChoice = lazy(() => import("./column-choice"));

export function ColumnMenu<Row>(props: ColumnMenuProps<Row>) {
  const { t } = useTranslation();
  const Choice = ColumnChoice as ComponentType<ColumnMenuProps<Row>>; // `lazy` forgets what the rows are
  const choice = (
    <Suspense fallback={<div className="grid-menu" />}>
      <Choice {...props} />
    </Suspense>
  );
  return (
    <Popover trigger="click" placement="bottomRight" content={choice}>
      <Button icon={<SettingOutlined aria-hidden />} aria-haspopup="dialog">
        {t("grid.columns")}
      </Button>
    </Popover>
  );
}
