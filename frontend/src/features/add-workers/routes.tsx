import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { shellRoute } from "../../lib/roots";

export type WizardSearch = { cluster?: string; machines?: string[] };

const wizardRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/add-workers",
  validateSearch: (search: Record<string, unknown>): WizardSearch => ({
    ...(typeof search["cluster"] === "string" ? { cluster: search["cluster"] } : {}),
    ...(Array.isArray(search["machines"])
      ? { machines: search["machines"].filter((id): id is string => typeof id === "string") }
      : {}),
  }),
  component: lazyPage("add-workers", () => import("./wizard-page"), "WizardPage"),
});

export const routes = [wizardRoute] as const;

/** Reached from machines, clusters and tickets. */
export const nav: NavEntry[] = [];
