/** Node × step: who is where, who failed, and what may be done with those that are chosen. */
import { useQuery } from "@tanstack/react-query";
import { Button, Flex, Input } from "antd";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../../api/problem";
import { CopyButton } from "../../../components/copy-button";
import { EmptyState } from "../../../components/empty-state";
import { ProblemAlert } from "../../../components/problem-alert";
import { ActionDialog } from "../action-dialog";
import {
  cellKey,
  columnsOf,
  filtered,
  type MatrixNode,
  NODE_STATES,
  openNodes,
  retryable,
  retryStep,
  selectedNodes,
  type Selection,
  stateCounts,
} from "../matrix";
import { matrixQuery } from "../queries";
import { StateIcon } from "../state-text";
import type { TabProps } from "../ticket-tabs";
import type { Step, Ticket } from "../types";
import { useTicketSearch } from "../use-ticket";
import { CellDrawer } from "./cell-drawer";
import { NodeCell, NodeHead } from "./node-cell";
import { SelectionBar } from "./selection-bar";
import { type MatrixColumn, VirtualMatrix } from "./virtual-matrix";
import { Pending } from "../pending";

const NONE: readonly MatrixNode[] = [];

function StateFilter({ counts, total, value, onChange }: { counts: Record<string, number>; total: number; value: string | undefined; onChange: (state: string | undefined) => void }) {
  const { t } = useTranslation("tickets");
  return (
    <div className="state-filter" role="group" aria-label={t("nodes.filter")}>
      <Button size="small" type={value === undefined ? "primary" : "default"} aria-pressed={value === undefined} onClick={() => onChange(undefined)}>
        {t("nodes.all")} <b>{total}</b>
      </Button>
      {NODE_STATES.filter((state) => (counts[state] ?? 0) > 0 || state === value).map((state) => (
        <Button
          key={state}
          size="small"
          type={value === state ? "primary" : "default"}
          aria-pressed={value === state}
          icon={<StateIcon state={state} />}
          onClick={() => onChange(value === state ? undefined : state)}
        >
          {t(`node.${state}`)} <b>{counts[state] ?? 0}</b>
        </Button>
      ))}
    </div>
  );
}

function ColumnHead({ step, open, onSelect }: { step: Step; open: number; onSelect: () => void }) {
  const { t, i18n } = useTranslation("tickets");
  const done = step.counts["SUCCEEDED"] ?? 0;
  const bad = (step.counts["FAILED"] ?? 0) + (step.counts["UNREACHABLE"] ?? 0);
  const unknown = step.counts["UNKNOWN"] ?? 0;
  return (
    <div className="column-head">
      <span className="ellipsis" title={pick(step.title, i18n.language)}>
        {pick(step.title, i18n.language)}
      </span>
      <span className="column-totals">
        {step.state !== "SKIPPED" && (
          <>
            <StateIcon state="SUCCEEDED" />
            {done}
          </>
        )}
        {bad > 0 && (
          <>
            <StateIcon state="FAILED" />
            {bad}
          </>
        )}
        {unknown > 0 && (
          <>
            <StateIcon state="UNKNOWN" />
            {unknown}
          </>
        )}
        {open > 0 && (
          <Button size="small" type="link" onClick={onSelect} aria-label={t("nodes.selectOpenOf", { count: open, step: pick(step.title, i18n.language) })}>
            {t("nodes.selectOpen", { count: open })}
          </Button>
        )}
      </span>
    </div>
  );
}

function useColumns(ticket: Ticket, nodes: readonly MatrixNode[], select: (keys: string[]) => void): MatrixColumn[] {
  const { i18n } = useTranslation();
  const retried = retryStep(ticket.steps)?.key;
  return columnsOf(ticket.steps).map((step) => {
    const open = step.key === retried ? openNodes(nodes, step.key) : [];
    return {
      key: step.key,
      label: pick(step.title, i18n.language),
      width: 150,
      head: <ColumnHead step={step} open={open.length} onSelect={() => select(open.map((node) => cellKey(node.id, step.key)))} />,
    };
  });
}

type Asked = { action: "retry" | "exclude"; nodes: MatrixNode[] } | null;

export function NodesTab({ ticket }: TabProps) {
  const { t } = useTranslation("tickets");
  const [search, change] = useTicketSearch();
  const matrix = useQuery(matrixQuery(ticket.id));
  const [selection, setSelection] = useState<Selection>(() => new Set());
  const [asked, setAsked] = useState<Asked>(null);
  const nodes = matrix.data ?? NONE;
  const steps = useMemo(() => columnsOf(ticket.steps), [ticket.steps]);
  const counts = useMemo(() => stateCounts(nodes, steps), [nodes, steps]);
  const shown = useMemo(
    () => filtered(nodes, steps, { state: search.state, text: search.q }),
    [nodes, steps, search.state, search.q],
  );
  const columns = useColumns(ticket, nodes, (keys) => setSelection(new Set(keys)));
  const skipped = useMemo(() => new Set(steps.filter((step) => step.state === "SKIPPED").map((step) => step.key)), [steps]);
  const cell = useCallback((node: MatrixNode, step: string) => <NodeCell node={node} step={step} skipped={skipped.has(step)} />, [skipped]);
  const rowHead = useCallback((node: MatrixNode) => <NodeHead node={node} />, []);
  if (matrix.error) return <ProblemAlert problem={asProblem(matrix.error)} />;
  if (matrix.isPending) return <Pending />;
  const chosen = new Set(selectedNodes(selection));
  const chosenNodes = nodes.filter((node) => chosen.has(node.id));
  const opened = search.node === undefined ? undefined : nodes.find((node) => node.id === search.node);
  return (
    <Flex vertical gap={8} className="nodes-tab">
      <Flex gap={8} wrap align="center">
        <StateFilter counts={counts} total={nodes.length} value={search.state} onChange={(state) => change({ state })} />
        <Input
          className="node-search"
          size="small"
          allowClear
          placeholder={t("nodes.search")}
          aria-label={t("nodes.search")}
          value={search.q ?? ""}
          onChange={(event) => change({ q: event.target.value || undefined })}
        />
        <CopyButton text={shown.map((node) => node.address || node.name).join("\n")} label={t("nodes.copyShown", { count: shown.length })} />
      </Flex>
      {selection.size > 0 && (
        <SelectionBar
          ticket={ticket}
          chosen={chosenNodes}
          retryable={retryable(nodes, ticket.steps, selection)}
          onAsk={(action, of) => setAsked({ action, nodes: of })}
          onClear={() => setSelection(new Set())}
        />
      )}
      <VirtualMatrix<MatrixNode>
        label={t("nodes.label")}
        rows={shown}
        keyOf={(node) => node.id}
        nameOf={(node) => node.name}
        columns={columns}
        corner={<span>{t("nodes.node", { count: shown.length })}</span>}
        headWidth={280}
        rowHead={rowHead}
        cell={cell}
        selection={selection}
        onSelect={setSelection}
        onOpen={(node, step) => change({ node: node.id, ...(step === null ? {} : { step }), attempt: undefined })}
        empty={<EmptyState title={t("nodes.none")} text={nodes.length > 0 ? t("nodes.noneText") : undefined} />}
      />
      {opened && <CellDrawer ticket={ticket} node={opened} />}
      {asked && (
        <ActionDialog
          ticket={ticket}
          action={asked.action}
          nodes={asked.nodes}
          onClose={() => {
            setAsked(null);
            setSelection(new Set());
          }}
        />
      )}
    </Flex>
  );
}

