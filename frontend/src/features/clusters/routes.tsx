import { ClusterOutlined } from "@ant-design/icons";
import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { may } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";

export const TABS = ["overview", "nodes", "topology", "config", "rkestate", "locks"] as const;
export type Tab = (typeof TABS)[number];
export type ClusterSearch = { tab?: Tab; before?: number; after?: number };

const listRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/clusters",
  component: lazyPage("clusters", () => import("./clusters-page"), "ClustersPage"),
});

const number = (value: unknown) => (Number.isInteger(value) && (value as number) > 0 ? (value as number) : undefined);

const clusterRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/clusters/$cluster",
  validateSearch: (search: Record<string, unknown>): ClusterSearch => {
    const tab = TABS.find((one) => one === search["tab"]);
    const before = number(search["before"]);
    const after = number(search["after"]);
    return { ...(tab ? { tab } : {}), ...(before ? { before } : {}), ...(after ? { after } : {}) };
  },
  component: lazyPage("clusters", () => import("./cluster-page"), "ClusterPage"),
});

export const routes = [listRoute, clusterRoute] as const;

export const nav: NavEntry[] = [
  { to: "/clusters", label: "common:nav.clusters", icon: <ClusterOutlined />, order: 50, visible: (me) => may(me, "cluster:read") },
];
