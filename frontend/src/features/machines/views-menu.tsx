/** Opens the saved views. */
import { Button, Popover } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSearch } from "./search";
import type { ViewProps } from "./view-list";

const ViewList = lazy(() => import("./view-list"));

export function ViewsMenu(props: ViewProps) {
  const { t } = useTranslation("machines");
  const [open, setOpen] = useState(false);
  const onOpen = (view: MachineSearch) => {
    setOpen(false);
    props.onOpen(view);
  };
  const list = (
    <Suspense fallback={null}>
      <ViewList {...props} onOpen={onOpen} />
    </Suspense>
  );
  return (
    <Popover trigger="click" placement="bottomRight" open={open} onOpenChange={setOpen} content={list} destroyOnHidden>
      <Button aria-haspopup="dialog">{t("view.open")}</Button>
    </Popover>
  );
}
