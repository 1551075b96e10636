/** Every feature of the console, once. A feature adds pages in its own `routes.tsx`, not here. */
import { createRoute, redirect } from "@tanstack/react-router";
import * as account from "../features/account/routes";
import * as addWorkers from "../features/add-workers/routes";
import * as clusters from "../features/clusters/routes";
import * as inbox from "../features/inbox/routes";
import * as machines from "../features/machines/routes";
import * as overview from "../features/overview/routes";
import * as settings from "../features/settings/routes";
import * as tickets from "../features/tickets/routes";
import type { NavEntry } from "../lib/feature";
import { shellRoute } from "../lib/roots";

export const bareRoutes = account.bareRoutes;

export const pageRoutes = [
  ...account.routes,
  ...addWorkers.routes,
  ...clusters.routes,
  ...inbox.routes,
  ...machines.routes,
  ...overview.routes,
  ...settings.routes,
  ...tickets.routes,
] as const;

export const nav: NavEntry[] = [account, addWorkers, clusters, inbox, machines, overview, settings, tickets]
  .flatMap((feature) => feature.nav)
  .sort((one, other) => one.order - other.order);

/** `/` shows the first page of the navigation. */
export const homeRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ href: nav[0]?.to ?? "/profile", replace: true });
  },
});
