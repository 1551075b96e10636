import { DeleteOutlined } from "@ant-design/icons";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Alert, Button, Flex, Input, Table } from "antd";
import { useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";
import type { EligibilityOut, MachineOut } from "../../api/client";
import { asProblem, pick } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { type Draft, MOST_MACHINES, withMachines, withoutMachine } from "./draft";
import { PasteBox } from "./paste-box";
import { eligibilityQuery, freeMachinesQuery } from "./queries";

type Props = { draft: Draft; onChange: (draft: Draft) => void };

function FreeMachines({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  const [text, setText] = useState("");
  const machines = useInfiniteQuery(freeMachinesQuery(useDeferredValue(text.trim())));
  const rows = machines.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = draft.machines.map((machine) => machine.id);
  const toggle = (selected: boolean, changed: MachineOut[]) =>
    onChange(
      selected
        ? withMachines(draft, changed).draft
        : changed.reduce((now, machine) => withoutMachine(now, machine.id), draft),
    );
  return (
    <Flex vertical gap={8}>
      <Input.Search
        allowClear
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder={t("machines.find")}
        aria-label={t("machines.find")}
      />
      {machines.error && <ProblemAlert problem={asProblem(machines.error)} />}
      <Table<MachineOut>
        rowKey="id"
        size="small"
        virtual
        scroll={{ x: 640, y: 380 }}
        loading={machines.isLoading}
        pagination={false}
        dataSource={rows}
        rowSelection={{
          selectedRowKeys: chosen,
          preserveSelectedRowKeys: true,
          onSelect: (machine, selected) => toggle(selected, [machine]),
          onSelectAll: (selected, _rows, changed) => toggle(selected, changed),
          getCheckboxProps: (machine) => ({ "aria-label": t("machines.select", { name: machine.hostname }) }) as object,
        }}
        columns={[
          { title: t("machines.hostname"), dataIndex: "hostname", ellipsis: true, width: 180 },
          { title: t("machines.address"), dataIndex: "address", width: 130 },
          { title: t("machines.place"), key: "place", ellipsis: true, render: (_, m) => `${m.datacenter} ${m.rack}` },
          { title: t("machines.cpu"), dataIndex: "cpu_cores", width: 70, align: "right" },
          { title: t("machines.gpu"), dataIndex: "gpu_count", width: 60, align: "right" },
        ]}
        locale={{ emptyText: <EmptyState title={t("machines.none")} /> }}
      />
      {machines.hasNextPage && (
        <Button loading={machines.isFetchingNextPage} onClick={() => void machines.fetchNextPage()}>
          {t("machines.more")}
        </Button>
      )}
    </Flex>
  );
}

function Blocked({ found, draft, onChange }: Props & { found: EligibilityOut }) {
  const { t, i18n } = useTranslation("add-workers");
  const ids = new Set(found.blocked.map((machine) => machine.machine_id));
  const leaveOut = () => onChange({ ...draft, machines: draft.machines.filter((machine) => !ids.has(machine.id)) });
  if (found.unavailable_reason) {
    return <Alert type="error" showIcon role="alert" title={pick(found.unavailable_reason, i18n.language)} />;
  }
  if (found.blocked.length === 0) return null;
  return (
    <Alert
      type="warning"
      showIcon
      role="alert"
      title={t("machines.blocked", { count: found.blocked_total, all: draft.machines.length })}
      action={
        <Button size="small" onClick={leaveOut}>
          {t("machines.leaveOut")}
        </Button>
      }
      description={
        <ul style={{ margin: 0, paddingInlineStart: 18, maxHeight: 160, overflow: "auto" }}>
          {found.blocked.map((machine) => (
            <li key={machine.machine_id}>
              <strong>{machine.hostname}</strong> {pick(machine.reason, i18n.language)}
            </li>
          ))}
        </ul>
      }
    />
  );
}

function ChosenMachines({ draft, onChange }: Props) {
  const { t } = useTranslation("add-workers");
  return (
    <section aria-labelledby="chosen-title">
      <Flex justify="space-between" align="center">
        <h3 id="chosen-title" aria-live="polite">
          {t("machines.chosen", { count: draft.machines.length, most: MOST_MACHINES })}
        </h3>
        <Button size="small" onClick={() => onChange({ ...draft, machines: [] })}>
          {t("common:action.clear")}
        </Button>
      </Flex>
      <ul className="chosen" tabIndex={0} aria-labelledby="chosen-title">
        {draft.machines.map((machine) => (
          <li key={machine.id}>
            <span className="ellipsis">
              <strong>{machine.hostname}</strong> <span className="mono muted">{machine.address}</span>
            </span>
            <Button
              size="small"
              type="text"
              icon={<DeleteOutlined />}
              onClick={() => onChange(withoutMachine(draft, machine.id))}
              aria-label={t("machines.drop", { name: machine.hostname })}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

export function MachinesStep({ draft, onChange }: Props) {
  const ids = draft.machines.map((machine) => machine.id);
  const eligibility = useQuery({ ...eligibilityQuery(draft.cluster_id, ids), placeholderData: (before) => before });
  return (
    <Flex vertical gap={12}>
      {eligibility.error && <ProblemAlert problem={asProblem(eligibility.error)} />}
      {ids.length > 0 && eligibility.data && <Blocked found={eligibility.data} draft={draft} onChange={onChange} />}
      <div className="picker">
        <FreeMachines draft={draft} onChange={onChange} />
        <Flex vertical gap={12}>
          <PasteBox draft={draft} onChange={onChange} />
          <ChosenMachines draft={draft} onChange={onChange} />
        </Flex>
      </div>
    </Flex>
  );
}
