import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expectAccessible } from "../../test/axe";
import { renderPage } from "../../test/render";
import { API, refusal, server } from "../../test/server";
import { makeAttempt, makeGate, makeNode, makeStep, makeTicket, TICKET_ID } from "../../test/tickets";
import { ticketKeys } from "./queries";
import type { Ticket } from "./types";

const HASH = { old: "a".repeat(64), new: "b".repeat(64) };
const NO = { zh: "申请人不能审批自己的工单", en: "The requester never approves" };
const sent: Array<{ path: string; body: unknown }> = [];
let ticket: Ticket;

function remember(answer: () => Response | object) {
  return async ({ request }: { request: Request }) => {
    sent.push({ path: new URL(request.url).pathname.replace(`/api/v1/tickets/${TICKET_ID}`, ""), body: await request.json().catch(() => null) });
    const given = answer();
    return given instanceof Response ? given : HttpResponse.json(given);
  };
}

const plan = (round: number, hash: string) => ({
  step: "join",
  round,
  plan_hash: hash,
  body: { plan: { adds: [{ hostname: "n1", address: "10.0.0.1", role: ["worker"] }], diff: ["@@ -1 +1 @@", "+- address: 10.0.0.1"] } },
  problems: [],
  created_at: "2026-11-25T21:00:00Z",
  superseded_at: null,
  superseded_reason: null,
});

// Fetched when first shown; a test's patience is for the page, not for the reading of its code.
beforeAll(async () => {
  await Promise.all([import("./ticket-page"), import("./plan/plan-tab"), import("./nodes/nodes-tab")]);
});

beforeEach(() => {
  sent.length = 0;
  server.use(
    http.get(`${API}/tickets`, () => HttpResponse.json({ items: [{ id: TICKET_ID }], next: null, total: null })),
    http.get(`${API}/flows`, () => HttpResponse.json([])),
    http.get(`${API}/clusters`, () => HttpResponse.json({ items: [], next: null, total: null })),
    http.get(`${API}/tickets/${TICKET_ID}`, () => HttpResponse.json(ticket)),
    http.get(`${API}/tickets/${TICKET_ID}/matrix`, () => HttpResponse.json({ at: "2026-11-25T21:00:00Z", nodes: [makeNode("a"), makeNode("b")] })),
    http.get(`${API}/tickets/${TICKET_ID}/plans/:step`, () => HttpResponse.json([plan(1, HASH.old)])),
    http.get(`${API}/tickets/${TICKET_ID}/plans/:step/compare`, () => HttpResponse.json([{ path: "fingerprint.facts of n1", before: "x", after: "y" }])),
    http.put(`${API}/tickets/${TICKET_ID}/seen`, () => new HttpResponse(null, { status: 204 })),
    http.get(`${API}/tickets/${TICKET_ID}/stream`, () => new HttpResponse(new ReadableStream(), { headers: { "Content-Type": "text/event-stream" } })),
    http.post(`${API}/tickets/${TICKET_ID}/decisions`, remember(() => ticket)),
    http.post(`${API}/tickets/${TICKET_ID}/retry`, remember(() => ticket)),
    http.post(`${API}/tickets/${TICKET_ID}/attempts/:attempt/resolution`, remember(() => ticket)),
  );
});

const waiting = (hash = HASH.old, changes = {}) =>
  makeTicket([makeStep("join", { state: "WAIT_PRE_GATE", round: 1, plan_hash: hash, gates: [makeGate({ subject_hash: hash, plan_hash: hash, ...changes })] })]);

const primary = async (name: RegExp) => screen.findByRole("button", { name });

describe("the decision panel", () => {
  it("signs what was shown, with the hash of it", async () => {
    ticket = waiting();
    renderPage("/tickets/7");
    await userEvent.click(await primary(/^审核：/));
    await userEvent.type(await screen.findByTestId("decision-comment"), "看过了");
    await userEvent.click(screen.getByTestId("approve"));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({
      path: "/decisions",
      body: { gates: [{ gate_id: "gate-1", subject_hash: HASH.old }], decision: "approve", comment: "看过了", acting_for: null },
    });
    await waitFor(() => expect(screen.queryByTestId("decision")).toBeNull());
  });

  it("rejects only with a reason, which a template can give", async () => {
    ticket = waiting();
    renderPage("/tickets/7?decide=true");
    await userEvent.click(await screen.findByTestId("reject"));
    expect(await screen.findByText("拒绝必须写明原因")).toBeTruthy();
    expect(sent).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "目标机器不对" }));
    await userEvent.click(screen.getByTestId("reject"));
    await waitFor(() => expect(sent[0]?.body).toMatchObject({ decision: "reject", comment: "目标机器不对" }));
  });

  it("asks to read again what has changed while it was open, and signs the new one only then", async () => {
    ticket = waiting();
    const { queryClient } = renderPage("/tickets/7?decide=true");
    await screen.findByTestId("approve");
    ticket = waiting(HASH.new, { id: "gate-2" });
    await queryClient.invalidateQueries({ queryKey: ticketKeys.detail(TICKET_ID) });
    const again = await screen.findByTestId("re-review");
    expect(screen.queryByTestId("approve")).toBeNull();
    expect(screen.getByTestId("reject").getAttribute("aria-disabled")).toBe("true");
    expect(await screen.findByText(/fingerprint\.facts of n1/)).toBeTruthy();
    await userEvent.click(again);
    await userEvent.click(await screen.findByTestId("approve"));
    await waitFor(() => expect(sent[0]?.body).toMatchObject({ gates: [{ gate_id: "gate-2", subject_hash: HASH.new }] }));
  });

  it("turns to a new reading when the api says that the hash is stale", async () => {
    ticket = waiting();
    server.use(
      http.post(`${API}/tickets/${TICKET_ID}/decisions`, () => {
        ticket = waiting(HASH.new, { id: "gate-2" });
        return refusal(409, { code: "stale-plan", cause: { zh: "计划已变化", en: "The plan has changed" } });
      }),
    );
    renderPage("/tickets/7?decide=true");
    await userEvent.click(await screen.findByTestId("approve"));
    expect(await screen.findByText("计划已变化")).toBeTruthy();
    expect(await screen.findByTestId("re-review")).toBeTruthy();
  });

  it("asks nobody to read again what his own decision has moved, however late its answer", async () => {
    ticket = waiting();
    let answer = (): void => undefined;
    const held = new Promise<void>((done) => (answer = done));
    server.use(
      http.post(`${API}/tickets/${TICKET_ID}/decisions`, async () => {
        await held;
        return HttpResponse.json(ticket);
      }),
    );
    const { queryClient } = renderPage("/tickets/7?decide=true");
    await userEvent.click(await screen.findByTestId("approve"));
    ticket = waiting(HASH.new, { id: "gate-2" });
    await queryClient.invalidateQueries({ queryKey: ticketKeys.detail(TICKET_ID) });
    await waitFor(() => expect(screen.getByTestId("approve").className).toContain("loading"));
    expect(screen.queryByTestId("re-review")).toBeNull();
    answer();
    await waitFor(() => expect(screen.queryByTestId("decision")).toBeNull());
  });

  it("has nothing to sign while the plan is made anew", async () => {
    ticket = waiting();
    const { queryClient } = renderPage("/tickets/7?decide=true");
    await screen.findByTestId("approve");
    ticket = makeTicket([makeStep("join", { state: "PLANNING", round: 2 })]);
    await queryClient.invalidateQueries({ queryKey: ticketKeys.detail(TICKET_ID) });
    await waitFor(() => expect(screen.getByTestId("approve").getAttribute("aria-disabled")).toBe("true"));
  });

  it("confirms a result and releases the next step as one decision, or only one of the two", async () => {
    ticket = makeTicket([
      makeStep("validate", { state: "WAIT_POST_GATE", gates: [makeGate({ id: "post", phase: "POST" })] }),
      makeStep("join", { state: "WAIT_PRE_GATE", round: 1, plan_hash: HASH.old, gates: [makeGate({ id: "pre" })] }),
    ]);
    const gates = () => (sent.at(-1)!.body as { gates: Array<{ gate_id: string }> }).gates.map((gate) => gate.gate_id);
    renderPage("/tickets/7?decide=true");
    expect((await screen.findByTestId("approve")).textContent).toBe("确认结果并放行下一步");
    await userEvent.click(screen.getByTestId("approve"));
    await waitFor(() => expect(gates()).toEqual(["post", "pre"]));
    await waitFor(() => expect(screen.queryByTestId("decision")).toBeNull());
    await userEvent.click(await primary(/^确认结果并放行下一步/));
    await userEvent.click(await screen.findByRole("checkbox", { name: /步骤join/ }));
    expect(screen.getByTestId("approve").textContent).toBe("确认结果");
    await userEvent.click(screen.getByTestId("approve"));
    await waitFor(() => expect(gates()).toEqual(["post"]));
  });

  it("says why a gate is not to be signed by this person", async () => {
    ticket = waiting(HASH.old, { may_sign: false, reason: NO });
    renderPage("/tickets/7");
    const button = await primary(/^审核：/);
    expect(button.getAttribute("aria-disabled")).toBe("true");
    expect(document.getElementById(button.getAttribute("aria-describedby")!)?.textContent).toBe(NO.zh);
  });
});

describe("an unknown result", () => {
  const attempt = (changes = {}) => makeAttempt({ state: "UNKNOWN", ended_at: null, death_proof: null, ...changes });
  const probe = makeAttempt({
    id: "probe",
    n: 3,
    purpose: "PROBE",
    outcome: { probe: { a: { suggests: "FAILED", summary: "kubelet 未创建", evidence: { ready: false } } } },
  });
  const lost = (changes = {}) => makeTicket([makeStep("join", { state: "UNKNOWN", attempts: [attempt(changes), probe] })], { state: "ATTENTION" });

  beforeEach(() => {
    server.use(
      http.get(`${API}/tickets/${TICKET_ID}/matrix`, () =>
        HttpResponse.json({ at: "", nodes: [makeNode("a", [{ step: "join", state: "UNKNOWN", ended_at: null }]), makeNode("b", [{ step: "join", state: "SUCCEEDED" }])] }),
      ),
    );
  });

  async function judge(): Promise<HTMLElement> {
    const panel = await screen.findByRole("region", { name: /结果未知/ });
    expect(await within(panel).findByText("kubelet 未创建")).toBeTruthy();
    expect(within(panel).queryByText("node-b")).toBeNull();
    await userEvent.click(within(panel).getByRole("button", { name: "采用探查的建议" }));
    await userEvent.type(within(panel).getByRole("textbox"), "到现场看过");
    return panel;
  }

  it("takes a verdict on every node when the runner is proven dead", async () => {
    ticket = lost({ death_proof: { how: "no process is left", pid: 7 } });
    renderPage("/tickets/7");
    const panel = await judge();
    expect(within(panel).getByText("no process is left · pid 7")).toBeTruthy();
    await userEvent.click(within(panel).getByRole("button", { name: "提交判定" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({ path: "/attempts/attempt-1/resolution", body: { verdicts: { a: false }, reason: "到现场看过", override: false } });
  });

  it("without proof needs the responsibility of two people, one after the other", async () => {
    ticket = lost();
    renderPage("/tickets/7");
    const panel = await judge();
    const submit = within(panel).getByRole("button", { name: "提交，等待第二人确认" });
    expect(submit.getAttribute("aria-disabled")).toBe("true");
    await userEvent.click(within(panel).getByRole("checkbox"));
    await userEvent.click(within(panel).getByRole("button", { name: "提交，等待第二人确认" }));
    await waitFor(() => expect(sent[0]?.body).toMatchObject({ override: true }));
  });

  it("is not to be confirmed by the one who was first", async () => {
    ticket = lost({ override_by: "01900000-0000-7000-8000-000000000001" });
    renderPage("/tickets/7");
    const panel = await judge();
    await userEvent.click(within(panel).getByRole("checkbox"));
    const submit = within(panel).getByRole("button", { name: "提交判定" });
    expect(document.getElementById(submit.getAttribute("aria-describedby")!)?.textContent).toBe("您已是第一人，须由另一个人确认。");
  });
});

describe("other actions", () => {
  it("say in their dialog what they would do, in the api's words, or why not", async () => {
    ticket = makeTicket([makeStep("join", { state: "RUNNING", counts: { SUCCEEDED: 1, RUNNING: 1 } })]);
    ticket.actions.cancel = { ...ticket.actions.cancel, effect: { zh: "在 node-b 完成后停止", en: "stops after node-b" } };
    ticket.actions.close = { ...ticket.actions.close, allowed: false, reason: { zh: "没有需要人处理的步骤", en: "nothing to close" }, effect: { zh: "", en: "" } };
    renderPage("/tickets/7");
    await userEvent.click(await screen.findByTestId("more-actions"));
    await userEvent.click(await screen.findByRole("menuitem", { name: "取消工单" }));
    expect(await screen.findByText("在 node-b 完成后停止")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "返回" }));
    await userEvent.click(screen.getByTestId("more-actions"));
    await userEvent.click(await screen.findByRole("menuitem", { name: /放弃并关闭/ }));
    const dialog = await screen.findByRole("dialog", { name: "放弃并关闭工单？" });
    expect(within(dialog).getByText("没有需要人处理的步骤")).toBeTruthy();
    expect(within(dialog).queryByRole("button", { name: "放弃并关闭" })).toBeNull();
  });
});

describe("the page", () => {
  it("is accessible, and shows text of others as text", async () => {
    ticket = makeTicket([makeStep("validate", { state: "DONE", counts: { SUCCEEDED: 2 } }), makeStep("join", { state: "PARTIAL", counts: { SUCCEEDED: 1, FAILED: 1 } })], {
      state: "ATTENTION",
      summary: '<img src=x onerror="document.title=1"> ‮tac',
    });
    server.use(
      http.get(`${API}/tickets/${TICKET_ID}/matrix`, () =>
        HttpResponse.json({ at: "", nodes: [makeNode("a", [{ step: "join", state: "FAILED", summary: "<b>disk</b> full" }], { name: "<script>alert(1)</script>" })] }),
      ),
    );
    renderPage("/tickets/7");
    expect(await screen.findByText("<b>disk</b> full")).toBeTruthy();
    expect(screen.getByText(/<img src=x/)).toBeTruthy();
    expect(document.querySelector("img[src='x']")).toBeNull();
    await expectAccessible();
  });

  it("says that there is no such ticket", async () => {
    server.use(http.get(`${API}/tickets`, () => HttpResponse.json({ items: [], next: null, total: null })));
    renderPage("/tickets/404404");
    expect(await screen.findByText("没有工单 #404404")).toBeTruthy();
  });
});
