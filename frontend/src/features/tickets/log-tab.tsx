/** The log of a step, a run or a node, as the address says. */
import { useNavigate } from "@tanstack/react-router";
import { lazy } from "react";
import { loadTexts } from "../../lib/i18n";
import type { TabProps } from "./ticket-tabs";
import { useTicketSearch } from "./use-ticket";

/** A chunk of its own, with its texts: drawers of other tabs show it as well. */
export const LogView = lazy(async () => {
  const [module] = await Promise.all([import("./log/log-view"), loadTexts("log")]);
  return { default: module.LogView };
});

export function LogTab({ ticket, step }: TabProps) {
  const [search, change] = useTicketSearch();
  const navigate = useNavigate();
  // The log scrolls to its line by itself: the router would put it back to where it was.
  const mark = (line: number) =>
    void navigate({ from: "/tickets/$ticket", to: ".", search: { ...search, line }, replace: true, resetScroll: false });
  return (
    <LogView
      ticketId={ticket.id}
      {...(step === null ? {} : { step })}
      {...(search.node === undefined ? {} : { nodeId: search.node })}
      {...(search.attempt === undefined ? {} : { attempt: search.attempt })}
      {...(search.line === undefined ? {} : { line: search.line })}
      onChoose={(choice) => change({ step: choice.step, node: choice.nodeId, attempt: choice.attempt, line: choice.line })}
      onLine={mark}
    />
  );
}
