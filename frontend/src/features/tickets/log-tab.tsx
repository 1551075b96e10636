/** The log of a step, an attempt or a node, as the address says. */
import { lazy } from "react";
import type { TabProps } from "./ticket-tabs";
import { useTicketSearch } from "./use-ticket";

type LogProps = { ticketId: string; step?: string; nodeId?: string; attempt?: number; line?: number };

const found = import.meta.glob<{ LogView: React.ComponentType<LogProps> }>("./log/log-view.tsx");
const load = found["./log/log-view.tsx"];

function NoLog(_props: LogProps) {
  return null;
}

export const LogView = lazy(async (): Promise<{ default: React.ComponentType<LogProps> }> => ({
  default: load ? (await load()).LogView : NoLog,
}));

export function LogTab({ ticket, step }: TabProps) {
  const [search] = useTicketSearch();
  return (
    <LogView
      ticketId={ticket.id}
      {...(step === null ? {} : { step })}
      {...(search.node === undefined ? {} : { nodeId: search.node })}
      {...(search.attempt === undefined ? {} : { attempt: search.attempt })}
      {...(search.line === undefined ? {} : { line: search.line })}
    />
  );
}
