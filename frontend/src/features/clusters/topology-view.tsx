/** Picture of a cluster: controlplane and etcd on top, workers by rack below, health as shape and colour. A table says the
 * same for those who do not see it. Props: `id` of the cluster. */
import { useQuery } from "@tanstack/react-query";
import { Background, Controls, MiniMap, type Node, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { Button, Flex, Spin } from "antd";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { TopologyNodeOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { useTheme } from "../../lib/theme";
import { topologyQuery } from "./queries";
import { columnsFor, healthCounts, healthOf, type Picture, pictureOf, type Place } from "./topology";
import { TopologyTable } from "./topology-table";

const MASTER = { width: 190, height: 64, gap: 16 };
const CELL = { width: 22, gap: 4, perRow: 10 };
const RACK_WIDTH = CELL.perRow * (CELL.width + CELL.gap) + 24;

function Master({ node }: { node: TopologyNodeOut }) {
  const { t } = useTranslation("clusters");
  return (
    <div className="topo-master" data-health={healthOf(node)}>
      <strong className="ellipsis">{node.name}</strong>
      <span className="muted">{node.roles.map((role) => t(`role.${role}`)).join(" + ")}</span>
      <span>{t(`health.${healthOf(node)}`)}</span>
    </div>
  );
}

function Rack({ rack, collapsed, onOpen }: { rack: Place; collapsed: boolean; onOpen: () => void }) {
  const { t } = useTranslation("clusters");
  return (
    <div className="topo-rack">
      <Flex justify="space-between">
        <strong className="ellipsis">{rack.title || t("topology.noPlace")}</strong>
        <span className="muted">{rack.nodes.length}</span>
      </Flex>
      {collapsed ? (
        <>
          {healthCounts(rack.nodes).map(([health, count]) => (
            <div key={health} className="topo-count" data-health={health}>
              {count} {t(`health.${health}`)}
            </div>
          ))}
          <Button size="small" className="nodrag" onClick={onOpen}>
            {t("topology.open")}
          </Button>
        </>
      ) : (
        <div className="topo-cells">
          {rack.nodes.map((node) => (
            <span
              key={node.id}
              className="topo-cell"
              data-health={healthOf(node)}
              title={`${node.name} ${node.address} · ${t(`health.${healthOf(node)}`)}`}
            >
              {node.ticket_number === null ? "" : "T"}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

const rackHeight = (rack: Place, collapsed: boolean) =>
  collapsed ? 64 + healthCounts(rack.nodes).length * 22 : 48 + Math.ceil(rack.nodes.length / CELL.perRow) * (CELL.width + CELL.gap);

/** Boxes on the plane; nothing is connected by lines, because every worker talks to every master. */
function boxesOf(picture: Picture, open: ReadonlySet<string>, onOpen: (rack: string) => void): Node[] {
  const masters = picture.masters.map((node, at) => ({
    id: node.id,
    position: { x: at * (MASTER.width + MASTER.gap), y: 0 },
    data: { label: <Master node={node} /> },
    className: "topo-box",
    style: { width: MASTER.width, height: MASTER.height },
  }));
  const columns = columnsFor(picture.racks.length);
  const heights = Array.from({ length: columns }, () => MASTER.height + 40);
  const racks = picture.racks.map((rack) => {
    const column = heights.indexOf(Math.min(...heights));
    const collapsed = picture.collapsed && !open.has(rack.id);
    const height = rackHeight(rack, collapsed);
    const position = { x: column * (RACK_WIDTH + 16), y: heights[column]! };
    heights[column] = position.y + height + 16;
    return {
      id: `rack ${rack.id}`,
      position,
      data: { label: <Rack rack={rack} collapsed={collapsed} onOpen={() => onOpen(rack.id)} /> },
      className: "topo-box",
      style: { width: RACK_WIDTH, height },
    };
  });
  return [...masters, ...racks];
}

export default function TopologyView({ id }: { id: string }) {
  const { t } = useTranslation("clusters");
  const theme = useTheme();
  const topology = useQuery(topologyQuery(id));
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [asTable, setAsTable] = useState(false);
  const nodes = topology.data?.nodes;
  const boxes = useMemo(
    () => boxesOf(pictureOf(nodes ?? []), open, (rack) => setOpen((now) => new Set([...now, rack]))),
    [nodes, open],
  );
  if (topology.isLoading) return <Spin />;
  if (topology.error || !nodes) return <ProblemAlert problem={asProblem(topology.error)} />;
  return (
    <div className="topo">
      <Flex gap={12} align="center">
        <Button size="small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {t("topology.asTable")}
        </Button>
        {healthCounts(nodes).map(([health, count]) => (
          <span key={health} className="topo-count" data-health={health}>
            {count} {t(`health.${health}`)}
          </span>
        ))}
      </Flex>
      {asTable ? (
        <TopologyTable nodes={nodes} />
      ) : (
        <div className="topo-plane" role="group" aria-label={t("topology.label", { count: nodes.length })}>
          <ReactFlow
            nodes={boxes}
            edges={[]}
            colorMode={theme}
            fitView
            fitViewOptions={{ maxZoom: 1 }}
            minZoom={0.1}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable={false}
            onlyRenderVisibleElements
          >
            <Background />
            <Controls showInteractive={false} />
            {boxes.length > 20 && <MiniMap pannable />}
          </ReactFlow>
        </div>
      )}
    </div>
  );
}
