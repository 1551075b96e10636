/** The columns of the machine page, group by group. */
import type { TFunction } from "i18next";
import { Link } from "@tanstack/react-router";
import type { MachineOut } from "../../api/client";
import type { GridColumn, GridGroup } from "../../components/grid/types";
import { StateTag, type StateKind } from "../../components/state-tag";
import { TimeText } from "../../components/time-text";

const STATES: Record<MachineOut["state"], StateKind> = {
  free: "neutral",
  reserved: "running",
  in_cluster: "success",
  fault: "failed",
  retired: "paused",
};

type Plain = keyof { [Key in keyof MachineOut as MachineOut[Key] extends string | number ? Key : never]: true };

export function MachineState({ state, t }: { state: MachineOut["state"]; t: TFunction }) {
  return <StateTag kind={STATES[state]}>{t(`machines:state.${state}`)}</StateTag>;
}

export const groupsOf = (t: TFunction): GridGroup[] =>
  ["identity", "place", "hardware", "software", "k8s", "network", "state"].map((id) => ({
    id,
    title: t(`machines:group.${id}`),
  }));

function Ticket({ machine }: { machine: MachineOut }) {
  if (machine.ticket_number === null) return <span className="muted">–</span>;
  return (
    <Link to={"/tickets/$ticket" as string} params={{ ticket: String(machine.ticket_number) } as never} tabIndex={-1}>
      #{machine.ticket_number}
    </Link>
  );
}

export function columnsOf(t: TFunction): GridColumn<MachineOut>[] {
  type Column = GridColumn<MachineOut>;
  const text = (id: Plain, group: string, width: number, more: Partial<Column> = {}): Column => ({
    id,
    group,
    width,
    title: t(`machines:column.${id}`),
    sort: id,
    render: (machine: MachineOut) => <span title={String(machine[id])}>{machine[id] === "" ? "–" : machine[id]}</span>,
    ...more,
  });
  const number = (id: Plain, group: string, width: number, more: Partial<Column> = {}) =>
    text(id, group, width, { align: "right", ...more });
  /** Counted in each row, so that no index can sort by it. */
  const counted = (id: Plain, group: string, more: Partial<Column> = {}): Column => {
    const { sort: _sort, ...column } = number(id, group, 80, more);
    return column;
  };
  const mono = (id: Plain) => ({ render: (machine: MachineOut) => <span className="mono">{machine[id] || "–"}</span> });
  return [
    text("hostname", "identity", 180, { pin: "left", always: true, render: (one) => <strong title={one.hostname}>{one.hostname}</strong> }),
    text("address", "identity", 130, { pin: "left", ...mono("address") }),
    text("internal_address", "identity", 130, { hidden: true, ...mono("internal_address") }),
    text("sn", "identity", 120, mono("sn")),
    text("region", "place", 80, { hidden: true }),
    text("datacenter", "place", 110),
    text("room", "place", 80),
    text("rack", "place", 90),
    text("unit", "place", 60, { hidden: true }),
    text("vendor", "hardware", 100),
    text("model", "hardware", 150),
    number("cpu_cores", "hardware", 80),
    number("memory_mb", "hardware", 100, { render: (one) => `${Math.round(one.memory_mb / 1024)} GiB` }),
    number("disk_gb", "hardware", 90),
    text("gpu_model", "hardware", 120),
    number("gpu_count", "hardware", 70),
    text("os_family", "software", 90),
    text("os_version", "software", 90),
    text("kernel", "software", 150),
    text("docker_version", "software", 100),
    text("cluster_name", "k8s", 120),
    text("node_roles", "k8s", 120),
    text("node_name", "k8s", 150, { hidden: true }),
    counted("node_label_count", "k8s"),
    counted("node_taint_count", "k8s", { hidden: true }),
    text("flat_network", "network", 110),
    text("ippool", "network", 110),
    text("state", "state", 120, { render: (one) => <MachineState state={one.state} t={t} /> }),
    { id: "ticket_number", group: "state", width: 90, title: t("machines:column.ticket_number"), render: (one) => <Ticket machine={one} /> },
    number("conflict_count", "state", 80),
    text("owner", "state", 110),
    text("department", "state", 120, { hidden: true }),
    text("purpose", "state", 120, { hidden: true }),
    text("cmdb_status", "state", 110, { hidden: true }),
    {
      id: "updated_at", group: "state", width: 130, title: t("machines:column.updated_at"), sort: "updated_at",
      render: (one) => <TimeText at={one.updated_at} />,
    },
  ];
}
