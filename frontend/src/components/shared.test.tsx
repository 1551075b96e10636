import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";
import { changeLanguage } from "../lib/i18n";
import { duration, exactTime, relativeTime } from "../lib/time";
import { expectAccessible } from "../test/axe";
import { renderUi } from "../test/render-ui";
import { ConfirmDanger } from "./confirm-danger";
import { CopyButton } from "./copy-button";
import { DiffView } from "./diff-view";
import { Labels } from "./labels";
import { PageHeader } from "./page-header";
import { StateTag } from "./state-tag";
import { TimeText } from "./time-text";
import { UserName } from "./user-name";

describe("ReasonButton", () => {
  it("keeps the focus and tells why it cannot be used", async () => {
    const onClick = vi.fn();
    renderUi(<PageHeader title="T" primary={{ label: "Go", reason: "locked by ticket 7", onClick }} />);
    const button = screen.getByRole("button", { name: "Go" });
    await userEvent.tab();
    expect(document.activeElement).toBe(button);
    expect(button.getAttribute("aria-disabled")).toBe("true");
    expect(document.getElementById(button.getAttribute("aria-describedby")!)!.textContent).toBe("locked by ticket 7");
    await userEvent.click(button);
    await userEvent.keyboard("{Enter}");
    expect(onClick).not.toHaveBeenCalled();
    await expectAccessible();
  });

  it("works when there is no reason", async () => {
    const onClick = vi.fn();
    renderUi(<PageHeader title="T" primary={{ label: "Go", reason: null, onClick }} />);
    await userEvent.click(screen.getByRole("button", { name: "Go" }));
    expect(onClick).toHaveBeenCalledTimes(1);
  });
});

describe("ConfirmDanger", () => {
  const names = Array.from({ length: 23 }, (_, at) => `host-${at}`);

  function Danger({ onConfirm }: { onConfirm: (reason: string) => void }) {
    const [open, setOpen] = useState(true);
    return (
      <ConfirmDanger open={open} title="Forget" name="prod-a" effect="It is gone" affected={names} okText="Forget it" needsReason onConfirm={onConfirm} onCancel={() => setOpen(false)} />
    );
  }

  it("lists what it hits and wants the name and a reason", async () => {
    const onConfirm = vi.fn();
    const user = userEvent.setup();
    renderUi(<Danger onConfirm={onConfirm} />);
    expect(screen.getByText("受影响的对象（23）")).toBeTruthy();
    expect(screen.getByText("另有 3 个")).toBeTruthy();
    const ok = screen.getByRole<HTMLButtonElement>("button", { name: "Forget it" });
    expect(ok.disabled).toBe(true);
    await user.type(screen.getByLabelText("请输入“prod-a”以确认"), "prod-a");
    await waitFor(() => expect(ok.disabled).toBe(false));
    await user.click(ok);
    expect(await screen.findByText("请填写原因")).toBeTruthy();
    await user.type(screen.getByLabelText("原因"), "moved away");
    await user.click(ok);
    await waitFor(() => expect(onConfirm).toHaveBeenCalledWith("moved away"));
    await expectAccessible();
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-25T10:00:00Z");
  it.each([
    ["2026-11-25T09:57:00Z", "3分钟前", "3 minutes ago"],
    ["2026-11-25T10:00:04Z", "现在", "now"],
    ["2026-11-23T10:00:00Z", "前天", "2 days ago"],
    ["2026-11-25T12:00:00Z", "2小时后", "in 2 hours"],
  ])("%s reads %s, %s", (at, zh, en) => {
    expect([relativeTime(new Date(at), now, "zh-CN"), relativeTime(new Date(at), now, "en")]).toEqual([zh, en]);
  });

  it("say the exact moment with its zone", () => {
    expect(exactTime(new Date("2026-11-25T09:57:00Z"), "en")).toMatch(/11\/25\/2026.*57:00.*(UTC|GMT|[A-Z]{3})/);
  });

  it("of work are counted in minutes and hours", () => {
    expect([duration(62), duration(3723), duration(null), duration(-1)]).toEqual(["01:02", "1:02:03", "–", "00:00"]);
  });

  it("are elements that machines can read", () => {
    renderUi(<TimeText at="2026-11-25T09:57:00Z" exact />);
    expect(document.querySelector("time")!.dateTime).toBe("2026-11-25T09:57:00Z");
  });
});

describe("small things", () => {
  it("show labels and taints as Kubernetes writes them", () => {
    renderUi(<Labels labels={{ pool: "gpu", spare: "" }} taints={[{ key: "gpu", value: "yes", effect: "NoSchedule" }]} max={2} />);
    expect([...document.querySelectorAll("code")].map((one) => one.textContent)).toEqual(["pool=gpu", "spare"]);
    expect(screen.getByText("另有 1 个")).toBeTruthy();
  });

  it("show states by icon and word", () => {
    renderUi(<StateTag kind="failed">失败</StateTag>);
    expect(screen.getByText("失败").querySelector("svg")).toBeTruthy();
  });

  it("name people, and the system", async () => {
    renderUi(<><UserName id="01900000-0000-7000-8000-000000000001" /><UserName id={null} /></>);
    expect(await screen.findByText("张伟")).toBeTruthy();
    await changeLanguage("en");
    expect(await screen.findByText("System")).toBeTruthy();
  });

  it("copy, and say when they could not", async () => {
    const user = userEvent.setup();
    renderUi(<CopyButton text="10.0.0.1" />);
    const said: Array<string | null> = []; // it stands for two seconds: a slow machine may look too late
    const status = screen.getByRole("status");
    new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
    await user.click(screen.getByRole("button", { name: "复制" }));
    await waitFor(() => expect(said).toContain("已复制"));
    expect(await navigator.clipboard.readText()).toBe("10.0.0.1");
  });

  it("say when two texts are the same instead of showing them twice", () => {
    renderUi(<DiffView before="a" after="a" />);
    expect(screen.getByText("两边内容相同")).toBeTruthy();
  });
});
