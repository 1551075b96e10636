import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { Look } from "./look";
import { queryClient } from "./query-client";
import { router } from "./router";
import { SessionGuard } from "./session-guard";

export function App() {
  return (
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Look>
          <RouterProvider router={router} />
          <SessionGuard />
        </Look>
      </QueryClientProvider>
    </StrictMode>
  );
}
