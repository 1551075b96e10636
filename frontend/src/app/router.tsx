import { createRouter } from "@tanstack/react-router";
import { rootRoute, shellRoute } from "../lib/roots";
import { ErrorPage, NotFoundPage, PagePending } from "./error-page";
import { bareRoutes, homeRoute, pageRoutes } from "./features";
import { Layout } from "./layout";
import { queryClient } from "./query-client";

rootRoute.update({ notFoundComponent: NotFoundPage, errorComponent: ErrorPage });
shellRoute.update({ component: Layout });

const routeTree = rootRoute.addChildren([...bareRoutes, shellRoute.addChildren([homeRoute, ...pageRoutes])]);

export const router = createRouter({
  routeTree,
  context: { queryClient },
  defaultPreload: "intent",
  // Data is kept by the query cache; the router's own would only go stale beside it.
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: ErrorPage,
  defaultNotFoundComponent: NotFoundPage,
  defaultPendingComponent: PagePending,
  defaultPendingMs: 300,
  scrollRestoration: true,
  scrollToTopSelectors: ["#main"],
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
