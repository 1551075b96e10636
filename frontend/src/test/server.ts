/** The mocked api. What the frame asks for is answered here; a test adds its own with `server.use(...)`. */
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import type { Me, Problem } from "../api/client";

export const API = "http://localhost:3000/api/v1";

export const PERMISSIONS_OF_ADMIN = [
  "cluster:read", "cluster:write", "config:read", "credential:read", "credential:write", "machine:read",
  "machine:write", "network:approve", "ticket:approve", "ticket:create", "ticket:operate", "ticket:read",
  "ticket:resolve", "user:read", "user:write",
];

export function me(changes: Partial<Me> = {}): Me {
  return {
    id: "01900000-0000-7000-8000-000000000001",
    name: "wei.zhang",
    display_name: "张伟",
    locale: "zh",
    method: "password",
    bindings: [{ id: "01900000-0000-7000-8000-0000000000b1", role: "admin", cluster_id: null }],
    permissions: Object.fromEntries(PERMISSIONS_OF_ADMIN.map((name) => [name, null])),
    ...changes,
  };
}

/** A refusal as the api sends it. */
export function refusal(status: number, changes: Partial<Problem> = {}) {
  const body: Problem = {
    type: "/problems/refused",
    title: "Refused",
    status,
    detail: "no",
    code: "refused",
    instance: "request-1",
    field: null,
    cause: { zh: "不行", en: "No" },
    remedy: { zh: "换一个", en: "Take another" },
    errors: [],
    ...changes,
  };
  return HttpResponse.json(body, { status, headers: { "Content-Type": "application/problem+json" } });
}

export const server = setupServer(
  http.get(`${API}/me`, () => HttpResponse.json(me())),
  http.get(`${API}/engine`, () => HttpResponse.json({ halted: false, reason: "", by: null, at: null, safe_mode: null })),
  http.get(`${API}/stuck`, () => HttpResponse.json({ looked_at: null, items: [] })),
  http.get(`${API}/inbox/counts`, () =>
    HttpResponse.json({ approve: 3, mine: 1, failed: 0, running: 2, watching: 0, done: 9 }),
  ),
  http.get(`${API}/login-methods`, () => HttpResponse.json({ password: true, oidc: null })),
  http.get(`${API}/directory`, () => HttpResponse.json([{ id: me().id, name: "wei.zhang", display_name: "张伟" }])),
  http.get(`${API}/stream`, () => new HttpResponse(new ReadableStream(), { headers: { "Content-Type": "text/event-stream" } })),
);
