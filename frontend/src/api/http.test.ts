import { http, HttpResponse } from "msw";
import { afterEach, describe, expect, it, vi } from "vitest";
import { changeLanguage } from "../lib/i18n";
import { API, me, refusal, server } from "../test/server";
import { getMe, logIn, updateMe } from "./client";
import { csrfToken, onSessionEnded } from "./http";
import { asProblem, pick, Problem } from "./problem";

const caught = (promise: Promise<unknown>) => promise.then(() => null, (error: unknown) => error);

describe("requests", () => {
  afterEach(() => void (document.cookie = "autorke_csrf=; max-age=0"));

  it("send the CSRF token on writes only, and the language", async () => {
    document.cookie = "autorke_csrf=token%2B1";
    await changeLanguage("en");
    const seen: Record<string, Array<string | null>> = {};
    const note = ({ request }: { request: Request }) => {
      seen[request.method] = [request.headers.get("X-CSRF-Token"), request.headers.get("Accept-Language")];
      return HttpResponse.json(me());
    };
    server.use(http.get(`${API}/me`, note), http.patch(`${API}/me`, note));
    await getMe();
    await updateMe({ body: { display_name: "x" } });
    expect(seen).toEqual({ GET: [null, "en"], PATCH: ["token+1", "en"] });
  });

  it("throw a Problem with cause, remedy, field and the id of the request", async () => {
    server.use(http.patch(`${API}/me`, () => refusal(422, { code: "invalid", field: "display_name" })));
    const problem = await caught(updateMe({ body: {} }));
    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ status: 422, code: "invalid", field: "display_name", requestId: "request-1" });
    expect(pick((problem as Problem).remedy, "zh-CN")).toBe("换一个");
  });

  it("say that the server cannot be reached, or answers nonsense", async () => {
    server.use(http.get(`${API}/me`, () => HttpResponse.error()));
    expect(await caught(getMe())).toMatchObject({ status: 0, code: "unreachable" });
    server.use(http.get(`${API}/me`, () => new HttpResponse("<h1>Bad gateway</h1>", { status: 502 })));
    expect(await caught(getMe())).toMatchObject({ status: 502, code: "unreachable" });
  });

  it("tell of an ended session, but not of a wrong password", async () => {
    const ended = vi.fn();
    const stop = onSessionEnded(ended);
    server.use(
      http.get(`${API}/me`, () => refusal(401)),
      http.post(`${API}/session`, () => refusal(401)),
    );
    await caught(logIn({ body: { name: "a", password: "b" } }));
    expect(ended).not.toHaveBeenCalled();
    await caught(getMe());
    expect(ended).toHaveBeenCalledTimes(1);
    stop();
  });

  it("find the token among other cookies", () => {
    expect(csrfToken("a=1; autorke_csrf=x%3D; b=2")).toBe("x=");
    expect(csrfToken("not_autorke_csrf=1")).toBeNull();
  });

  it("show anything else that was thrown", () => {
    expect(asProblem(new Error("boom")).code).toBe("unreachable");
  });
});
