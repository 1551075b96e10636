/** Rules that no linter of ours checks: sizes, directions of imports, where requests may be made. */
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { isTest, sources } from "./sources";

const MAX_LINES = 400;
const LAYERS: Record<string, string[]> = {
  lib: ["lib", "api", "components"],
  api: ["api", "lib"],
  components: ["components", "lib", "api"],
  features: ["features", "components", "lib", "api"],
  app: ["app", "features", "components", "lib", "api"],
};
/** Read-only links and pictures of tickets are wanted everywhere. */
const OPEN_FEATURE = "tickets";

function imports(path: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    posix.normalize(posix.join(posix.dirname(path), match[1]!)),
  );
}

function wrongDirection(path: string, target: string): boolean {
  const [layer = "", feature] = path.split("/");
  const [toLayer = "", toFeature] = target.split("/");
  if (!(layer in LAYERS)) return false;
  if (layer === "features" && toLayer === "features") return feature !== toFeature && toFeature !== OPEN_FEATURE;
  return toLayer !== "locales" && !LAYERS[layer]!.includes(toLayer);
}

const written = sources();
const product = written.filter(({ path }) => !isTest(path));

describe("house rules", () => {
  it("has something to look at", () => expect(product.length).toBeGreaterThan(30));

  it("keeps files short enough to be read at once", () => {
    const long = written.filter(({ text }) => text.split("\n").length > MAX_LINES + 1).map(({ path }) => path);
    expect(long).toEqual([]);
  });

  it("imports downwards, and no feature from another", () => {
    const wrong = product.flatMap(({ path, text }) =>
      imports(path, text)
        .filter((target) => wrongDirection(path, target))
        .map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it("would notice a wrong direction", () => {
    expect(wrongDirection("lib/live.ts", "features/machines/queries")).toBe(true);
    expect(wrongDirection("features/inbox/page.tsx", "features/machines/queries")).toBe(true);
    expect(wrongDirection("features/inbox/page.tsx", "features/tickets/link")).toBe(false);
    expect(imports("features/inbox/page.tsx", 'import { a } from "../machines/queries";')).toEqual([
      "features/machines/queries",
    ]);
  });

  it("makes requests in queries, never in components", () => {
    const fetching = product.filter(({ path, text }) => path.endsWith(".tsx") && /\bfetch\(|EventSource\(/.test(text));
    expect(fetching.map(({ path }) => path)).toEqual([]);
  });

  it("never puts text of others into the page as HTML", () => {
    const unsafe = product.filter(({ text }) => /dangerouslySetInnerHTML|\.innerHTML\s*=|\beval\(/.test(text));
    expect(unsafe.map(({ path }) => path)).toEqual([]);
  });

  it("leaves nothing for later and names no module vaguely", () => {
    const marked = new RegExp(`//.*\\b(${["TO", "FIX"].map((start, at) => start + ["DO", "ME"][at]).join("|")})\\b`);
    expect(written.filter(({ text }) => marked.test(text)).map(({ path }) => path)).toEqual([]);
    expect(written.filter(({ path }) => /\/(utils?|helpers?|common|misc)\.tsx?$/.test(path)).map(({ path }) => path)).toEqual([]);
  });
});
