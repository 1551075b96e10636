/** One machine: facts, Kubernetes, network, tickets, what CMDB, machine and cluster say of it, and its history. */
import { useQuery } from "@tanstack/react-query";
import { Drawer, Flex, Spin, Tabs } from "antd";
import { useTranslation } from "react-i18next";
import type { MachineDetail } from "../../api/client";
import { asProblem } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { MachineState } from "./columns";
import { Conflicts } from "./machine-conflicts";
import { FieldList } from "./machine-fields";
import { History } from "./machine-history";
import { MachineTickets } from "./machine-tickets";
import { machineQuery } from "./queries";

type Props = { id: string; tab: string; onTab: (tab: string) => void; onClose: () => void };

const FACTS = {
  identity: ["hostname", "address", "internal_address", "sn", "cmdb_id"],
  place: ["region", "datacenter", "room", "rack", "unit"],
  hardware: ["vendor", "model", "cpu_cores", "memory_mb", "disk_gb", "gpu_model", "gpu_count"],
  software: ["os_family", "os_version", "kernel", "docker_version"],
  use: ["owner", "department", "purpose", "cmdb_status"],
  ssh: ["ssh_user", "ssh_port", "host_key_fingerprint", "host_key_pinned_by"],
} as const;
const K8S = { k8s: ["cluster_name", "node_name", "node_address", "node_roles", "node_label_count", "node_taint_count"] } as const;
const NETWORK = { network: ["address", "internal_address", "node_address", "flat_network", "ippool"] } as const;

function Body({ machine, tab, onTab }: { machine: MachineDetail; tab: string; onTab: (tab: string) => void }) {
  const { t } = useTranslation("machines");
  const items = [
    { key: "facts", label: t("drawer.facts"), children: <FieldList machine={machine} groups={FACTS} /> },
    { key: "k8s", label: t("drawer.k8s"), children: <FieldList machine={machine} groups={K8S} /> },
    { key: "network", label: t("drawer.network"), children: <FieldList machine={machine} groups={NETWORK} /> },
    { key: "tickets", label: t("drawer.tickets"), children: <MachineTickets id={machine.id} /> },
    { key: "cmdb", label: t("drawer.cmdb", { count: machine.conflict_count }), children: <Conflicts machine={machine} /> },
    { key: "history", label: t("drawer.history"), children: <History id={machine.id} /> },
  ];
  return (
    <Flex vertical gap={8}>
      <Flex gap={12} align="center" wrap>
        <MachineState state={machine.state} t={t} />
        <span className="mono">{machine.address}</span>
        <CopyButton text={machine.address} label={t("row.copy", { what: t("column.address") })} />
        {machine.state_reason && <span className="muted">{machine.state_reason}</span>}
      </Flex>
      <Tabs activeKey={tab} onChange={onTab} items={items} destroyOnHidden />
    </Flex>
  );
}

export default function MachineDrawer({ id, tab, onTab, onClose }: Props) {
  const { t } = useTranslation("machines");
  const machine = useQuery(machineQuery(id));
  return (
    <Drawer open size={720} onClose={onClose} title={<span className="ellipsis">{machine.data?.hostname ?? t("drawer.title")}</span>}>
      {machine.isLoading && <Spin />}
      {machine.error && <ProblemAlert problem={asProblem(machine.error)} />}
      {machine.data && <Body machine={machine.data} tab={tab} onTab={onTab} />}
    </Drawer>
  );
}
