/** Components as the app shows them: query cache, antd, and (for pages) the whole router at an address. */
import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRouter, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { Look } from "../app/look";
import { makeQueryClient } from "../app/query-client";
import { router as appRouter } from "../app/router";

function cache() {
  const queryClient = makeQueryClient();
  queryClient.setDefaultOptions({ queries: { retry: false, staleTime: Infinity } });
  return queryClient;
}

/** One component, without a router. */
export function renderUi(ui: ReactNode) {
  const queryClient = cache();
  const result = render(
    <QueryClientProvider client={queryClient}>
      <Look>{ui}</Look>
    </QueryClientProvider>,
  );
  return { ...result, queryClient };
}

/** The app at a path, with the frame, as somebody who is signed in (see `me` in `server.ts`). */
export function renderPage(path: string, extra: ReactNode = null) {
  const queryClient = cache();
  const history = createMemoryHistory({ initialEntries: [path] });
  const router = createRouter({ ...appRouter.options, history, context: { queryClient } });
  const result = render(
    <QueryClientProvider client={queryClient}>
      <Look>
        <RouterProvider router={router as unknown as typeof appRouter} />
        {extra}
      </Look>
    </QueryClientProvider>,
  );
  return { ...result, queryClient, router };
}
