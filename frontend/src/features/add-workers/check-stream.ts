/** Runs the checks on the server and hears their results as they come. Going away stops them. */
import i18n from "i18next";
import { csrfToken, reportSessionEnded } from "../../api/http";
import { asProblem, type Problem, toProblem } from "../../api/problem";
import { EventParser, type ServerEvent } from "../../lib/sse";

type Options = { body: unknown; signal: AbortSignal; onEvent: (event: ServerEvent) => void };

async function refusal(response: Response): Promise<Problem> {
  if (response.status === 401) reportSessionEnded();
  const body: unknown = await response.json().catch(() => null);
  return asProblem(toProblem(body, response));
}

/** Resolves when the server has ended the stream. Throws a Problem, or an AbortError when `signal` fired. */
export async function streamChecks({ body, signal, onEvent }: Options): Promise<void> {
  const response = await fetch("/api/v1/flows/add_workers/checks", {
    method: "POST",
    body: JSON.stringify(body),
    signal,
    headers: {
      "Content-Type": "application/json",
      Accept: "text/event-stream",
      "Accept-Language": i18n.language,
      "X-CSRF-Token": csrfToken() ?? "",
    },
  });
  if (!response.ok || !response.body) throw await refusal(response);
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(value)) {
      if (event.event === "problem") throw asProblem(toProblem(event.data));
      onEvent(event);
    }
  }
}
