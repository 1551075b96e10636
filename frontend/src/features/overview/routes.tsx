import { DashboardOutlined } from "@ant-design/icons";
import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { may } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";

const overviewRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/overview",
  component: lazyPage("overview", () => import("./overview-page"), "OverviewPage"),
});

export const routes = [overviewRoute] as const;

export const nav: NavEntry[] = [
  { to: "/overview", label: "common:nav.overview", icon: <DashboardOutlined />, order: 10, visible: (me) => may(me, "machine:read") },
];
