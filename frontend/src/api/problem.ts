import type { Problem as ProblemBody } from "./client";

export type Language = "zh-CN" | "en";
export type Words = { zh: string; en: string };

/** The text of the language that the page speaks. */
export function pick(words: Words, language: string): string {
  return language.startsWith("zh") ? words.zh : words.en;
}

/** Every refusal of the api, as a thrown error: cause and remedy in both languages, and the field when one is at fault. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
  override readonly cause: Words;
  readonly remedy: Words;
  readonly requestId: string;
  readonly errors: Array<Record<string, unknown>>;

  constructor(body: ProblemBody) {
    super(body.cause.en);
    this.name = "Problem";
    this.status = body.status;
    this.code = body.code;
    this.field = body.field ?? null;
    this.cause = body.cause;
    this.remedy = body.remedy;
    this.requestId = body.instance;
    this.errors = body.errors ?? [];
  }
}

const UNREACHABLE: ProblemBody = {
  type: "/problems/unreachable",
  title: "Unreachable",
  status: 0,
  detail: "",
  code: "unreachable",
  instance: "",
  field: null,
  cause: { zh: "无法连接服务器。", en: "The server cannot be reached." },
  remedy: { zh: "请检查网络后重试；已填写的内容不会丢失。", en: "Check the network and try again; nothing you typed is lost." },
  errors: [],
};

function isBody(value: unknown): value is ProblemBody {
  return typeof value === "object" && value !== null && "code" in value && "cause" in value && "remedy" in value;
}

/** What fetch or the client gave up with, as a Problem. An aborted request stays what it is. */
export function toProblem(error: unknown, response?: Response): unknown {
  if (error instanceof Problem || (error instanceof DOMException && error.name === "AbortError")) return error;
  if (isBody(error)) return new Problem(error);
  if (!response) return new Problem(UNREACHABLE);
  const text = `HTTP ${response.status}`;
  return new Problem({
    ...UNREACHABLE,
    status: response.status,
    code: response.status >= 500 ? "unreachable" : "unexpected",
    instance: response.headers.get("X-Request-Id") ?? "",
    cause: { zh: `服务器回答异常（${text}）。`, en: `The server gave an unexpected answer (${text}).` },
  });
}

/** For what throws elsewhere in the page: anything, as a Problem to show. */
export function asProblem(error: unknown): Problem {
  const found = toProblem(error);
  if (found instanceof Problem) return found;
  return new Problem({ ...UNREACHABLE, code: "page", cause: { zh: String(error), en: String(error) } });
}
