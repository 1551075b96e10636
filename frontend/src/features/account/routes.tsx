import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { rootRoute, shellRoute } from "../../lib/roots";

export type LoginSearch = { return_to?: string };

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): LoginSearch =>
    typeof search["return_to"] === "string" ? { return_to: search["return_to"] } : {},
  component: lazyPage("account", () => import("./login-page"), "LoginPage"),
});

const profileRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/profile",
  component: lazyPage("account", () => import("./profile-page"), "ProfilePage"),
});

const tokensRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/profile/tokens",
  component: lazyPage("account", () => import("./tokens-page"), "TokensPage"),
});

export const bareRoutes = [loginRoute] as const;
export const routes = [profileRoute, tokensRoute] as const;

/** Reached by the user menu. */
export const nav: NavEntry[] = [];
