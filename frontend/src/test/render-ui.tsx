/** One component with query cache and antd, without router and pages. */
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { Look } from "../app/look";
import { makeQueryClient } from "../app/query-client";

export function testCache() {
  const queryClient = makeQueryClient();
  queryClient.setDefaultOptions({ queries: { retry: false, staleTime: Infinity } });
  return queryClient;
}

export function renderUi(ui: ReactNode) {
  const queryClient = testCache();
  const result = render(
    <QueryClientProvider client={queryClient}>
      <Look>{ui}</Look>
    </QueryClientProvider>,
  );
  return { ...result, queryClient };
}
