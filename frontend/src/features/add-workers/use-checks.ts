/** One run of the checks at a time; leaving the wizard stops it on the server. */
import { useEffect, useRef, useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import { ended, heard, NO_REPORT, type Report, started } from "./check-results";
import { streamChecks } from "./check-stream";
import { type Draft, requestOf } from "./draft";

type Heard = Parameters<typeof heard>[1];

export function useChecks(draft: Draft) {
  const [report, setReport] = useState<Report>(NO_REPORT);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [running, setRunning] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const run = async (only?: ReadonlySet<string>) => {
    stop.current?.abort();
    const control = new AbortController();
    stop.current = control;
    setProblem(null);
    setRunning(true);
    try {
      await streamChecks({
        body: { request: requestOf(draft, only) },
        signal: control.signal,
        onEvent: ({ event, data }) => {
          if (event === "start") setReport((now) => started(now, data as Parameters<typeof started>[1]));
          if (event === "check") setReport((now) => heard(now, data as Heard));
          if (event === "end") setReport((now) => ended(now, data as { seconds: number }));
        },
      });
    } catch (error) {
      if (!control.signal.aborted) setProblem(asProblem(error));
    } finally {
      if (stop.current === control) setRunning(false);
    }
  };
  /** What was checked is no longer what would be submitted. */
  const reset = () => {
    stop.current?.abort();
    setReport(NO_REPORT);
    setProblem(null);
  };
  return { report, problem, running, run, reset, stop: () => stop.current?.abort() };
}
