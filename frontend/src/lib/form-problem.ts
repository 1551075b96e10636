/** Shows a refusal at the fields that it names. Whatever names no field of the form is for a `ProblemAlert`. */
import type { FormInstance } from "antd";
import { pick, type Problem, type Words } from "../api/problem";

type FieldError = { field: string; text: string };

function words(value: unknown): value is Words {
  return typeof value === "object" && value !== null && "zh" in value && "en" in value;
}

/** Field and text pairs of a problem; `errors` entries of the api carry `field` and `cause`. */
export function fieldErrors(problem: Problem, language: string): FieldError[] {
  const found: FieldError[] = [];
  for (const item of problem.errors) {
    const cause = item["cause"];
    if (typeof item["field"] === "string" && words(cause)) {
      found.push({ field: item["field"], text: pick(cause, language) });
    }
  }
  if (found.length === 0 && problem.field !== null) {
    found.push({ field: problem.field, text: `${pick(problem.cause, language)} ${pick(problem.remedy, language)}` });
  }
  return found;
}

/** True when the form now shows it at one of its own fields. `names` maps a field of the api to one of the form. */
export function showAtFields(
  form: FormInstance,
  problem: Problem,
  language: string,
  names: Record<string, string> = {},
): boolean {
  const own = new Set(Object.keys(form.getFieldsValue() as object));
  const shown = fieldErrors(problem, language)
    .map(({ field, text }) => ({ name: names[field] ?? field, errors: [text] }))
    .filter(({ name }) => own.has(name));
  if (shown.length > 0) form.setFields(shown);
  return shown.length > 0;
}
