import { describe, expect, it } from "vitest";
import { filtersOf, numberIn, readListSearch, readTicketSearch, statesOf } from "./search";

describe("the address of a ticket", () => {
  it("keeps what is known and drops the rest", () => {
    const raw = { tab: "nodes", step: "join", node: 7, attempt: "2", line: "x", round: -1, red: "true", people: "yes", evil: "<script>" };
    expect(readTicketSearch(raw)).toEqual({ tab: "nodes", step: "join", node: "7", attempt: 2, red: true });
    expect(readTicketSearch({ tab: "nope", step: "" })).toEqual({});
  });

  it("holds a number, or an id from elsewhere", () => {
    expect(numberIn("2041")).toBe(2041);
    expect(numberIn("01900000-0000-7000-8000-000000000001")).toBeNull();
    expect(numberIn("1".repeat(40))).toBeNull();
  });
});

describe("the address of the list", () => {
  it("becomes filters of the api", () => {
    const search = readListSearch({ state: "ACTIVE,ATTENTION,NOPE", flow: "add_workers", cluster: "c", requester: "r", q: "#12", sort: "-ended_at" });
    expect(filtersOf(search)).toEqual([
      "state:in:ACTIVE,ATTENTION",
      "flow_name:eq:add_workers",
      "scope_id:eq:c",
      "requester_id:eq:r",
      "number:eq:12",
    ]);
    expect(search.sort).toBe("-ended_at");
  });

  it("looks for words in the summary, and ignores what it does not know", () => {
    expect(filtersOf(readListSearch({ q: " alpha " }))).toEqual(["summary:contains:alpha"]);
    expect(filtersOf(readListSearch({ q: "#", state: "NOPE" }))).toEqual([]);
    expect(readListSearch({ sort: "password", q: 5 })).toEqual({ q: "5" });
    expect(statesOf({})).toEqual([]);
  });
});
