import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { describe, expect, it } from "vitest";
import { renderPage } from "../test/render";
import { API, me, refusal, server } from "../test/server";
import { SessionGuard } from "./session-guard";

describe("an ended session", () => {
  it("is signed in again over the page, which keeps what was typed", async () => {
    const user = userEvent.setup();
    renderPage("/profile", <SessionGuard />);
    const name = await screen.findByLabelText<HTMLInputElement>("显示名");
    await user.clear(name);
    await user.type(name, "张大伟");
    server.use(http.patch(`${API}/me`, () => refusal(401, { code: "unauthenticated" })));
    await user.click(screen.getByRole("button", { name: "保存" }));
    const dialog = await screen.findByRole("dialog", { name: "登录已过期" });
    server.use(
      http.post(`${API}/session`, () => HttpResponse.json(me())),
      http.patch(`${API}/me`, async ({ request }) => HttpResponse.json(me((await request.json()) as object))),
    );
    await user.type(screen.getByLabelText("密码"), "a long pass phrase");
    await user.click(screen.getByRole("button", { name: "登录" }));
    await waitFor(() => expect(dialog.isConnected).toBe(false));
    expect(name.value).toBe("张大伟");
    await user.click(screen.getByRole("button", { name: "保存" }));
    await screen.findByText("已保存");
  });
});
