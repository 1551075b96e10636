/** The button at a row's end. Its menu is made when it is pressed: hundreds of rows must not each carry one. */
import { MoreOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineOut } from "../../api/client";

const load = () => import("./row-menu-items");
const RowMenuItems = lazy(load);

export function RowMenu({ machine }: { machine: MachineOut }) {
  const { t } = useTranslation("machines");
  const [wanted, setWanted] = useState(false);
  const prepare = () => void load();
  const closed = (
    <Button
      type="text"
      size="small"
      tabIndex={-1}
      icon={<MoreOutlined />}
      aria-haspopup="menu"
      aria-label={t("row.menu", { name: machine.hostname })}
      onPointerEnter={prepare}
      onFocus={prepare}
      onClick={(event) => {
        event.stopPropagation();
        setWanted(true);
      }}
    />
  );
  if (!wanted) return closed;
  return (
    <Suspense fallback={closed}>
      <RowMenuItems machine={machine} />
    </Suspense>
  );
}
