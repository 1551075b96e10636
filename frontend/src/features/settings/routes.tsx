import { SettingOutlined } from "@ant-design/icons";
import { createRoute, redirect } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { meQuery } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";
import { sectionsOf } from "./sections";

const homeRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings",
  beforeLoad: async ({ context }) => {
    const me = await context.queryClient.ensureQueryData(meQuery);
    throw redirect({ href: sectionsOf(me)[0]?.to ?? "/profile", replace: true });
  },
});

const usersRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/users",
  component: lazyPage("settings", () => import("./users-page"), "UsersPage"),
});

const credentialsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/credentials",
  component: lazyPage("settings", () => import("./credentials-page"), "CredentialsPage"),
});

const cmdbRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/cmdb",
  component: lazyPage("settings", () => import("./cmdb-page"), "CmdbPage"),
});

const gatesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/gates",
  component: lazyPage("settings", () => import("./gates-page"), "GatesPage"),
});

const engineRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/engine",
  component: lazyPage("settings", () => import("./engine-page"), "EnginePage"),
});

const auditRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/settings/audit",
  component: lazyPage("settings", () => import("./audit-page"), "AuditPage"),
});

export const routes = [
  homeRoute,
  usersRoute,
  credentialsRoute,
  cmdbRoute,
  gatesRoute,
  engineRoute,
  auditRoute,
] as const;

export const nav: NavEntry[] = [
  {
    to: "/settings",
    label: "common:nav.settings",
    icon: <SettingOutlined />,
    order: 90,
    visible: (me) => sectionsOf(me).length > 0,
  },
];
