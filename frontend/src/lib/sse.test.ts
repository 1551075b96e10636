import { describe, expect, it } from "vitest";
import { EventParser } from "./sse";

describe("EventParser", () => {
  it("reads events whatever way the text is cut", () => {
    const text = ": alive\n\nid: 1\nevent: state\ndata: {\"a\":1}\n\ndata: two\ndata: lines\r\n\r\nid: 2\n\n";
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual([
        { id: "1", event: "state", data: { a: 1 } },
        { id: "1", event: "message", data: "two\nlines" },
      ]);
    }
  });

  it("keeps an unfinished event until it is whole", () => {
    const parser = new EventParser();
    expect(parser.push("data: 1\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ id: null, event: "message", data: 1 }]);
  });
});
