import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { describe, expect, it } from "vitest";
import { changeLanguage } from "../../lib/i18n";
import { expectAccessible } from "../../test/axe";
import { renderPage } from "../../test/render";
import { API, me, refusal, server } from "../../test/server";

const signedOut = http.get(`${API}/me`, () => refusal(401, { code: "unauthenticated" }));

async function fill(name: string, password: string): Promise<void> {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("用户名"), name);
  await user.type(screen.getByLabelText("密码"), password);
  await user.click(screen.getByRole("button", { name: "登录" }));
}

describe("signing in", () => {
  it("sends who is not signed in to the form, and back to where they wanted", async () => {
    server.use(signedOut);
    const { router } = renderPage("/profile/tokens?x=1");
    await screen.findByRole("heading", { name: "登录 AutoRke" });
    expect(router.state.location.search).toEqual({ return_to: "/profile/tokens?x=1" });
    let sent: unknown;
    server.use(
      http.post(`${API}/session`, async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(me());
      }),
      http.get(`${API}/me`, () => HttpResponse.json(me())),
      http.get(`${API}/me/tokens`, () => HttpResponse.json({ items: [], next: null, total: null })),
    );
    await fill(" wei.zhang ", "a long pass phrase");
    await screen.findByRole("heading", { name: "API 令牌" });
    expect(sent).toEqual({ name: "wei.zhang", password: "a long pass phrase" });
    expect(router.state.location.pathname).toBe("/profile/tokens");
  });

  it("says what is wrong in the language of the page and keeps what was typed", async () => {
    server.use(
      signedOut,
      http.post(`${API}/session`, () =>
        refusal(401, { cause: { zh: "用户名或密码错误", en: "Wrong name or password" } }),
      ),
    );
    renderPage("/login");
    await fill("wei.zhang", "wrong");
    expect((await screen.findByRole("alert")).textContent).toContain("用户名或密码错误");
    await changeLanguage("en");
    await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("Wrong name or password"));
    expect(screen.getByLabelText<HTMLInputElement>("User name").value).toBe("wei.zhang");
  });

  it("asks for both fields before it asks the server", async () => {
    server.use(signedOut);
    renderPage("/login");
    await userEvent.click(await screen.findByRole("button", { name: "登录" }));
    expect(await screen.findByText("请输入用户名")).toBeTruthy();
    expect(await screen.findByText("请输入密码")).toBeTruthy();
  });

  it("offers single sign-on where the server has it", async () => {
    server.use(signedOut, http.get(`${API}/login-methods`, () => HttpResponse.json({ password: true, oidc: "Company SSO" })));
    renderPage("/login?return_to=%2Fprofile");
    const link = await screen.findByRole("link", { name: "Company SSO" });
    expect(link.getAttribute("href")).toBe("/api/v1/session/oidc?return_to=%2Fprofile");
  });

  it("is accessible", async () => {
    server.use(signedOut);
    renderPage("/login");
    await screen.findByLabelText("用户名");
    await expectAccessible();
  });
});
