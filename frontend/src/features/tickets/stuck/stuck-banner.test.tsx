import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expectAccessible } from "../../../test/axe";
import { renderPage } from "../../../test/render";
import { API, refusal, server } from "../../../test/server";
import { makeStuck } from "../../../test/stuck";

const sent: unknown[] = [];
let items = [makeStuck()];

beforeAll(async () => {
  await Promise.all([import("./stuck-list"), import("../../account/profile-page")]);
});

beforeEach(() => {
  sent.length = 0;
  items = [makeStuck({ tickets: [{ id: "t", number: 12 }], more_tickets: 3 })];
  server.use(http.get(`${API}/stuck`, () => HttpResponse.json({ looked_at: null, items })));
});

const banner = () => screen.findByRole("region", { name: /^卡住/ });

describe("the banner of what is stuck", () => {
  it("names cause, time, tickets and remedy, and sends a repair with its reason", async () => {
    server.use(
      http.post(`${API}/stuck/:id/repair`, async ({ request }) => {
        sent.push(await request.json());
        items = [makeStuck({ repair_by: "01900000-0000-7000-8000-000000000001", repair_at: "2026-11-25T21:02:00Z" })];
        return HttpResponse.json(items[0]);
      }),
    );
    renderPage("/profile");
    const shown = await banner();
    expect(shown.textContent).toContain("没有 Celery worker 在领取启动通知");
    expect(shown.textContent).toContain("重启 autorke-worker");
    expect(shown.textContent).toContain("另有 3 个");
    expect(within(shown).getByRole("link", { name: "#12" }).getAttribute("href")).toBe("/tickets/12");
    await expectAccessible();

    await userEvent.click(within(shown).getByRole("button", { name: "直接领取" }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toContain("执行主机直接领取");
    await userEvent.click(within(dialog).getByRole("button", { name: "直接领取" }));
    expect(await within(dialog).findByText("请填写理由")).toBeTruthy();
    expect(sent).toEqual([]);
    await userEvent.type(within(dialog).getByLabelText("理由"), " worker 在维护 ");
    await userEvent.click(within(dialog).getByRole("button", { name: "直接领取" }));
    await waitFor(() => expect(sent).toEqual([{ reason: "worker 在维护" }]));
    await waitFor(async () => expect((await banner()).querySelector(".stuck-asked")!.textContent).toContain("张伟"));
    expect(within(await banner()).queryByRole("button", { name: "直接领取" })).toBeNull();
  });

  it("shows why a repair was refused and keeps what was typed", async () => {
    server.use(http.post(`${API}/stuck/:id/repair`, () => refusal(409, { cause: { zh: "它已经不再卡住", en: "It is stuck no longer" } })));
    renderPage("/profile");
    await userEvent.click(within(await banner()).getByRole("button", { name: "直接领取" }));
    const dialog = await screen.findByRole("dialog");
    await userEvent.type(within(dialog).getByLabelText("理由"), "试一下");
    await userEvent.click(within(dialog).getByRole("button", { name: "直接领取" }));
    expect(await within(dialog).findByText(/它已经不再卡住/)).toBeTruthy();
    expect(within(dialog).getByLabelText<HTMLTextAreaElement>("理由").value).toBe("试一下");
  });

  it("folds away all but the first, and shows nothing of what is no concern of this person", async () => {
    items = [makeStuck(), makeStuck({ id: "2", title: { zh: "时钟偏差", en: "Clock" }, repair: null }), makeStuck({ id: "3", mine: false })];
    renderPage("/profile");
    const shown = await banner();
    expect(shown.textContent).not.toContain("时钟偏差");
    await userEvent.click(within(shown).getByRole("button", { name: "另外 1 项" }));
    expect(shown.textContent).toContain("时钟偏差");
    expect(shown.querySelectorAll(".stuck-item").length).toBe(2);
    await expectAccessible();
  });
});
