import { DesktopOutlined } from "@ant-design/icons";
import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { may } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";
import { readMachineSearch } from "./search";

const machinesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/machines",
  validateSearch: readMachineSearch,
  component: lazyPage("machines", () => import("./machines-page"), "MachinesPage"),
});

export const routes = [machinesRoute] as const;

export const nav: NavEntry[] = [
  { to: "/machines", label: "common:nav.machines", icon: <DesktopOutlined />, order: 20, visible: (me) => may(me, "machine:read") },
];
