/** Leads to a ticket, from anywhere in the console. Props: `number`; `children` other words than `#number`. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

export function TicketLink({ number, children }: { number: number; children?: ReactNode }) {
  return (
    <Link to="/tickets/$ticket" params={{ ticket: String(number) }} className="mono">
      {children ?? `#${number}`}
    </Link>
  );
}
