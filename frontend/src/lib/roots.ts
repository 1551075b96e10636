/** The two roots that every feature's routes hang on. Their components are set in `app/router.tsx`. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, redirect } from "@tanstack/react-router";
import { Problem } from "../api/problem";
import { meQuery } from "./queries";

export type RouterContext = { queryClient: QueryClient };

/** Parent of pages without the frame: sign-in. */
export const rootRoute = createRootRouteWithContext<RouterContext>()();

/** Parent of every page for signed-in people: header, navigation, banner. */
export const shellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "shell",
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.ensureQueryData(meQuery);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      throw redirect({ href: `/login?return_to=${encodeURIComponent(location.href)}`, replace: true });
    }
  },
});
