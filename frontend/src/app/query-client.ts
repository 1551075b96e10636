import { QueryClient } from "@tanstack/react-query";
import { Problem } from "../api/problem";

/** A refusal stays one when it is asked again; only an unreachable server is worth a second try. */
function worthRetrying(failures: number, error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 500) && failures < 2;
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 10_000, retry: worthRetrying, refetchOnWindowFocus: true, throwOnError: false },
      mutations: { retry: false },
    },
  });
}

export const queryClient = makeQueryClient();
