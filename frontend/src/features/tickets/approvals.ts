/** Gates and decisions of a ticket as one flat list. Pure. */
import type { Words } from "../../api/client";
import type { Gate, Ticket } from "./types";

export type ApprovalRow = {
  key: string;
  number: number;
  title: Words;
  gate: Gate;
  approverId: string | null;
  approverName: string;
  actingForName: string | null;
  decision: string | null;
  comment: string;
  at: string | null;
  revokedAt: string | null;
};

/** One row per decision; a gate that lacks signatures has a last row of its own that says who may decide. */
export function approvalRows(ticket: Ticket): ApprovalRow[] {
  return ticket.steps.flatMap((step, index) =>
    step.gates.flatMap((gate) => {
      const about = { number: index + 1, title: step.title, gate };
      const rows: ApprovalRow[] = gate.approvals.map((one) => ({
        ...about,
        key: `${gate.id} ${one.approver_id}`,
        approverId: one.approver_id,
        approverName: one.approver_name ?? one.approver_id.slice(0, 8),
        actingForName: one.acting_for_name,
        decision: one.decision,
        comment: one.comment,
        at: one.at,
        revokedAt: one.revoked_at,
      }));
      if (gate.state === "OPEN" || rows.length === 0) rows.push(undecided(about));
      return rows;
    }),
  );
}

function undecided(about: Pick<ApprovalRow, "number" | "title" | "gate">): ApprovalRow {
  return {
    ...about,
    key: `${about.gate.id} open`,
    approverId: null,
    approverName: "",
    actingForName: null,
    decision: null,
    comment: "",
    at: about.gate.closed_at,
    revokedAt: null,
  };
}
