import { http, HttpResponse } from "msw";
import { expect, it } from "vitest";
import { API, refusal, server } from "../../test/server";
import { type Outcome, sendDecisions } from "./queries";
import type { Row } from "./state";

const row = (id: string) =>
  ({ ticket: { id }, gates: [{ gate_id: `g-${id}`, subject_hash: "a".repeat(64), may_sign: true, acting_for: null }] }) as unknown as Row;
const rows = Array.from({ length: 30 }, (_, n) => row(`t${n}`));

type Sent = { items: Array<{ ticket_id: string }>; decision: string; comment: string };

async function decide(): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  await sendDecisions(rows, "approve", " read ", (found) => found.forEach(([id, outcome]) => outcomes.set(id, outcome)));
  return outcomes;
}

const refused = (outcomes: Map<string, Outcome>) => [...outcomes].filter(([, outcome]) => outcome !== null).map(([id]) => id);

it("decides each ticket by itself: a refusal of one leaves the others done", async () => {
  const problem = await refusal(409).json();
  const sent: Sent[] = [];
  server.use(
    http.post(`${API}/decisions`, async ({ request }) => {
      const body = (await request.json()) as Sent;
      sent.push(body);
      return HttpResponse.json(
        body.items.map(({ ticket_id }) => ({ ticket_id, ok: ticket_id !== "t2", state: "ACTIVE", note: null, problem: ticket_id === "t2" ? problem : null })),
      );
    }),
  );
  const outcomes = await decide();
  expect(outcomes.size).toBe(30);
  expect(refused(outcomes)).toEqual(["t2"]);
  expect(outcomes.get("t2")?.cause.en).toBe("No");
  expect(sent.map((one) => [one.items.length, one.decision, one.comment])).toEqual([[25, "approve", "read"], [5, "approve", "read"]]);
});

it("says of every ticket of a request that failed that it failed", async () => {
  let times = 0;
  server.use(http.post(`${API}/decisions`, () => ((times += 1) === 1 ? refusal(503) : HttpResponse.json([]))));
  expect(refused(await decide())).toHaveLength(25);
});
