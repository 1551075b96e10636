/** The picture of a cluster as a table. Props: `nodes`. */
import { Table } from "antd";
import { useTranslation } from "react-i18next";
import type { TopologyNodeOut } from "../../api/client";
import { healthOf } from "./topology";

export function TopologyTable({ nodes }: { nodes: TopologyNodeOut[] }) {
  const { t } = useTranslation("clusters");
  return (
    <Table<TopologyNodeOut>
      rowKey="id"
      size="small"
      dataSource={nodes}
      pagination={nodes.length > 50 ? { pageSize: 50, showSizeChanger: false } : false}
      columns={[
        { title: t("node.hostname"), dataIndex: "name" },
        { title: t("node.address"), dataIndex: "address" },
        { title: t("node.roles"), dataIndex: "roles", render: (roles: string[]) => roles.map((role) => t(`role.${role}`)).join(", ") },
        { title: t("topology.place"), key: "place", render: (_, node) => [node.datacenter, node.room, node.rack].filter(Boolean).join(" / ") },
        { title: t("topology.health"), key: "health", render: (_, node) => t(`health.${healthOf(node)}`) },
      ]}
    />
  );
}
