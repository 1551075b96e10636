/** antd's menu in a chunk of its own, for `MenuButton`. */
import { Button, type ButtonProps, Dropdown } from "antd";
import { useState } from "react";
import type { Menu } from "./menu-button";

/** Open from the start: it is mounted by the press that asked for it, and takes the focus over from that button. */
export default function OpenedMenu({ menu, placement, button }: Menu & { button: ButtonProps }) {
  const [open, setOpen] = useState(true);
  return (
    <Dropdown menu={menu} trigger={["click"]} open={open} onOpenChange={setOpen} {...(placement ? { placement } : {})}>
      <Button {...button} autoFocus aria-haspopup="menu" />
    </Dropdown>
  );
}
