/** A button that opens a menu. The menu itself is fetched when somebody comes near: a first visit does without.
 * Props: antd's Button props; `menu` and `placement` as antd's Dropdown takes them. */
import { Button, type ButtonProps, type DropdownProps, type MenuProps } from "antd";
import { lazy, Suspense, useState } from "react";

export type Menu = { menu: MenuProps; placement?: DropdownProps["placement"] };

const load = () => import("./dropdown");
const OpenedMenu = lazy(load);

export function MenuButton({ menu, placement, ...button }: ButtonProps & Menu) {
  const [wanted, setWanted] = useState(false);
  const prepare = () => void load();
  const closed = (
    <Button {...button} aria-haspopup="menu" onPointerEnter={prepare} onFocus={prepare} onClick={() => setWanted(true)} />
  );
  if (!wanted) return closed;
  return (
    <Suspense fallback={closed}>
      <OpenedMenu menu={menu} placement={placement} button={button} />
    </Suspense>
  );
}
