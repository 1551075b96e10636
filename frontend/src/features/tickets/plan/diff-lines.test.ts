import { describe, expect, it } from "vitest";
import { excerpts, kindOf, numbered } from "./diff-lines";

const DIFF = ["--- cluster.yml 3", "+++ cluster.yml (after)", "@@ -19,2 +19,3 @@", " role:", "-old", "+new", "+- address: 10.0.0.1", "@@ -40 +41 @@", " network:"];

describe("a unified diff", () => {
  it("has five kinds of lines", () => {
    expect([...DIFF.slice(0, 6), ""].map(kindOf)).toEqual(["head", "head", "hunk", "same", "remove", "add", "same"]);
  });

  it("knows the place of each line in both files", () => {
    expect(numbered(DIFF).map(({ before, after }) => [before, after])).toEqual([
      [null, null], [null, null], [null, null], [19, 19], [20, null], [null, 20], [null, 21], [null, null], [40, 41],
    ]);
  });

  it("gives both sides of what it shows", () => {
    expect(excerpts(DIFF)).toEqual({ before: "role:\nold\n⋯\nnetwork:", after: "role:\nnew\n- address: 10.0.0.1\n⋯\nnetwork:" });
    expect(excerpts([])).toEqual({ before: "", after: "" });
  });
});
