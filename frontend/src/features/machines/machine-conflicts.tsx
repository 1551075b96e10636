/** What CMDB, machine and cluster say of each field where they differ; a person accepts one side. */
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Flex, Table } from "antd";
import { useTranslation } from "react-i18next";
import type { ConflictOut, MachineDetail } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { settle } from "./queries";

type Side = "cmdb" | "machine";

export function Conflicts({ machine }: { machine: MachineDetail }) {
  const { t } = useTranslation("machines");
  const queryClient = useQueryClient();
  const { data: me } = useSuspenseQuery(meQuery);
  const accept = useMutation({
    mutationFn: ({ field, side }: { field: string; side: Side }) => settle(machine.id, field, side),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["machines"] }),
  });
  const allowed = may(me, "machine:write", machine.cluster_id) ? null : t("conflict.notAllowed");
  const side = (name: Side) => ({
    title: t(`conflict.${name}`),
    key: name,
    render: (_: unknown, conflict: ConflictOut) => {
      const value = conflict[`${name}_value`];
      if (value === null) return <span className="muted">–</span>;
      if (conflict.resolved_at) return value;
      return (
        <Flex gap={8} align="center" justify="space-between">
          <span>{value}</span>
          <ReasonButton
            size="small"
            reason={allowed}
            loading={accept.isPending && accept.variables?.field === conflict.field && accept.variables.side === name}
            onClick={() => accept.mutate({ field: conflict.field, side: name })}
            aria-label={t("conflict.acceptLabel", { side: t(`conflict.${name}`), field: t(`column.${conflict.field}`) })}
          >
            {t("conflict.accept")}
          </ReasonButton>
        </Flex>
      );
    },
  });
  return (
    <Flex vertical gap={8}>
      {accept.error && <ProblemAlert problem={asProblem(accept.error)} />}
      <Table<ConflictOut>
        rowKey="field"
        size="small"
        pagination={false}
        dataSource={machine.conflicts}
        columns={[
          { title: t("conflict.field"), dataIndex: "field", render: (field: string) => t(`column.${field}`) },
          side("cmdb"),
          side("machine"),
          { title: t("conflict.cluster"), dataIndex: "cluster_value", render: (value: string | null) => value ?? "–" },
          {
            title: t("conflict.seen"),
            key: "seen",
            render: (_, one) => (one.resolved_at ? t("conflict.settled", { by: one.resolved_by }) : <TimeText at={one.first_seen_at} />),
          },
        ]}
        locale={{ emptyText: <EmptyState title={t("conflict.none")} /> }}
      />
    </Flex>
  );
}
