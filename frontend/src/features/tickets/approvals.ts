/** Gates and decisions of a ticket as one flat list. Pure. */
import type { Words } from "../../api/client";
import type { Gate, Ticket } from "./types";

export type ApprovalRow = {
  key: string;
  number: number;
  title: Words;
  stepState: string;
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
      const about = { number: index + 1, title: step.title, stepState: step.state, gate };
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

const NOT_BEGUN = new Set(["WAIT_PRE_GATE", "READY"]);

/** May this person take the approval back? Only one's own, and only while the step has not begun. */
export function revocable(row: ApprovalRow, me: string | undefined): boolean {
  const standing = row.approverId !== null && row.approverId === me && row.decision === "APPROVE" && row.revokedAt === null;
  const live = row.gate.state === "OPEN" || row.gate.state === "APPROVED";
  return standing && live && row.gate.phase === "PRE" && NOT_BEGUN.has(row.stepState);
}

function undecided(about: Pick<ApprovalRow, "number" | "title" | "stepState" | "gate">): ApprovalRow {
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
