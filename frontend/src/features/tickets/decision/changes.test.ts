import { describe, expect, it } from "vitest";
import { changedPlans, readable, valueText } from "./changes";

describe("changes of a plan", () => {
  it("are told once, in the language of the page", () => {
    const change = (path: string) => ({ path, kind: "changed" as const, before: 1, after: 2 });
    const list = [change("seen.en"), change("seen.zh"), change("kernel")];
    expect(readable(list, "zh-CN").map((one) => one.path)).toEqual(["seen.zh", "kernel"]);
    expect(readable(list, "en").map((one) => one.path)).toEqual(["seen.en", "kernel"]);
  });

  it("show lines as lines and hashes by their beginning", () => {
    expect(valueText(["+ a", "+ b"])).toBe("+ a\n+ b");
    expect(valueText("ab".repeat(32))).toBe("ababababab…");
    expect(valueText("6.1.0-18-amd64")).toBe("6.1.0-18-amd64");
    expect([valueText({ a: 1 }), valueText(5), valueText([1, "x"])]).toEqual(['{"a":1}', "5", '[1,"x"]']);
  });

  it("belong to a step whose shown plan is another one now", () => {
    const bound = (step: string, planHash: string, phase = "PRE") => ({ step, phase, planHash });
    expect(changedPlans([bound("a", "1"), bound("b", "1")], [bound("a", "2"), bound("b", "1"), bound("c", "9")])).toEqual([
      { step: "a", before: "1", after: "2" },
    ]);
    expect(changedPlans([bound("a", "1", "POST")], [bound("a", "2")])).toEqual([]);
  });
});
