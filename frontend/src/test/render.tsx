/** Pages as the app shows them: the whole router at an address. */
import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRouter, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { Look } from "../app/look";
import { router as appRouter } from "../app/router";
import { testCache } from "./render-ui";

export { renderUi } from "./render-ui";

/** The app at a path, with the frame, as somebody who is signed in (see `me` in `server.ts`). */
export function renderPage(path: string, extra: ReactNode = null) {
  const queryClient = testCache();
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
