/** Catalogues: equal keys and placeholders in both languages, every used key there, no text outside of them. */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { isTest, type Source, sources } from "./sources";

type Catalogue = Record<string, unknown>;

const catalogues = new Map(
  sources(/^locales\/.*\.json$/).map(({ path, text }) => [path, JSON.parse(text) as Catalogue] as const),
);
const namespaces = [...new Set([...catalogues.keys()].map((path) => path.split("/")[2]!.replace(".json", "")))];
const catalogue = (language: string, namespace: string): Catalogue =>
  catalogues.get(`locales/${language}/${namespace}.json`) ?? {};
const placeholders = (text: unknown) => [...String(text).matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort();

/** Words that are the same in every language. */
const NEUTRAL = /^[\s\p{P}\p{S}\d]*$|^(AutoRke|CPU|GPU|IP|SN|SSH|MAC|BMC|OS|CIDR|URL|JSON|CSV|YAML|CMDB)$/u;
const CHINESE = /[\u3400-\u9fff]/;
/** Refusals made in the page itself carry both languages, as those of the api do. */
const BILINGUAL = ["api/problem.ts"];

const TEXT_PROPS = new Set(["title", "label", "placeholder", "alt", "description", "okText", "cancelText", "subTitle", "extra", "aria-label", "tooltip"]);

/** Texts that a person would read, written into the code: JSX text, text properties, and anything in Chinese. */
function literals({ path, text }: Source): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node) && !NEUTRAL.test(node.text)) found.push(node.text.trim());
    if (ts.isJsxAttribute(node) && TEXT_PROPS.has(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer)) {
      if (!NEUTRAL.test(node.initializer.text)) found.push(node.initializer.text);
    }
    const literal = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    if (literal && CHINESE.test(node.text)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found.map((one) => `${path}: ${one}`);
}

/** Keys given to `t("…")` as plain texts, with the namespace that `useTranslation("…")` of the file names. */
function usedKeys({ text }: Source): string[] {
  const own = /useTranslation\(\s*"([\w-]+)"/.exec(text)?.[1] ?? "common";
  return [...text.matchAll(/(?<![\w$])t\(\s*"([^"]+)"/g)].map((match) => (match[1]!.includes(":") ? match[1]! : `${own}:${match[1]}`));
}

const product = sources().filter(({ path }) => !isTest(path));

describe("catalogues", () => {
  it.each(namespaces)("%s has the same keys and placeholders in both languages", (namespace) => {
    const zh = catalogue("zh-CN", namespace);
    const en = catalogue("en", namespace);
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    for (const key of Object.keys(zh)) expect([key, placeholders(zh[key])]).toEqual([key, placeholders(en[key])]);
  });

  it("holds flat, non-empty texts", () => {
    const wrong = [...catalogues].flatMap(([path, texts]) =>
      Object.entries(texts).filter(([, text]) => typeof text !== "string" || text.trim() === "").map(([key]) => `${path} ${key}`),
    );
    expect(wrong).toEqual([]);
  });

  it("has every key that the code names", () => {
    const missing = product.flatMap((source) =>
      usedKeys(source)
        .filter((key) => {
          const [namespace = "", ...rest] = key.split(":");
          return !(rest.join(":") in catalogue("en", namespace));
        })
        .map((key) => `${source.path}: ${key}`),
    );
    expect(missing).toEqual([]);
  });

  it("is the only place for texts", () => {
    expect(product.filter(({ path }) => !BILINGUAL.includes(path)).flatMap(literals)).toEqual([]);
  });

  it("would notice a text outside and a missing key", () => {
    const source = { path: "x.tsx", text: 'const { t } = useTranslation("account"); t("nope"); <p title="Hello">你好 and more</p>; const a = "中文";' };
    expect(literals(source)).toEqual(["x.tsx: Hello", "x.tsx: 你好 and more", "x.tsx: 中文"]);
    expect(usedKeys(source)).toEqual(["account:nope"]);
  });
});
