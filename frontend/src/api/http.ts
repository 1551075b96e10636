/** The generated client, set up once: CSRF, language, and every refusal as a `Problem`. Import it before any request. */
import i18n from "i18next";
import { client } from "./client/client.gen";
import { Problem, toProblem } from "./problem";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** The token that proves that a write comes from our own page; null when nobody is signed in. */
export function csrfToken(cookies: string = document.cookie): string | null {
  const found = cookies.split("; ").find((part) => part.startsWith("autorke_csrf="));
  return found ? decodeURIComponent(found.slice("autorke_csrf=".length)) : null;
}

type Listener = () => void;
const ended = new Set<Listener>();

/** Told when the server no longer knows our session. Returns how to stop listening. */
export function onSessionEnded(listener: Listener): () => void {
  ended.add(listener);
  return () => ended.delete(listener);
}

/** Whoever talks to the server without the client (the event stream) reports a 401 here. */
export function reportSessionEnded(): void {
  for (const listener of ended) listener();
}

client.interceptors.request.use((request) => {
  const token = csrfToken();
  if (token && !SAFE.has(request.method)) request.headers.set("X-CSRF-Token", token);
  request.headers.set("Accept-Language", i18n.language ?? "zh-CN");
  return request;
});

client.interceptors.error.use((error, response, request) => {
  const problem = toProblem(error, response);
  const signingIn = request?.method === "POST" && request.url.endsWith("/api/v1/session");
  if (problem instanceof Problem && problem.status === 401 && !signingIn) reportSessionEnded();
  return problem;
});

// A fixed base: relative URLs are not valid in `new Request()` outside a browser.
client.setConfig({ baseUrl: window.location.origin });
