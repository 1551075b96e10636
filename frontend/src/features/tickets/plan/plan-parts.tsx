/** The parts of a plan, one below the other. Props: `parts`; `effect` of the step; `params` of the ticket. */
import { Link } from "@tanstack/react-router";
import { Flex, Select, Table } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { CopyButton } from "../../../components/copy-button";
import { JsonView } from "../json-view";
import { StateText } from "../state-text";
import { type Container, type Level, levelCounts, type NodeSpec, type PlanParts as Parts, type Target } from "./plan-model";
import { UnifiedDiff } from "./unified-diff";

function Section({ title, extra, children }: { title: string; extra?: ReactNode; children: ReactNode }) {
  return (
    <section className="plan-part">
      <h2>
        {title}
        {extra}
      </h2>
      {children}
    </section>
  );
}

const PAGE = 20;

function Targets({ targets }: { targets: Target[] }) {
  const { t } = useTranslation("tickets");
  const list = (values: string[]) => <bdi className="mono wrap">{values.join("  ")}</bdi>;
  return (
    <Table<Target>
      size="small"
      rowKey="hostname"
      dataSource={targets}
      pagination={targets.length > PAGE ? { pageSize: PAGE, size: "small", showSizeChanger: false } : false}
      columns={[
        { title: t("plan.hostname"), dataIndex: "hostname", render: (name: string) => <bdi>{name}</bdi> },
        { title: t("plan.address"), dataIndex: "address", render: (address: string) => <span className="mono">{address}</span> },
        { title: t("plan.role"), dataIndex: "roles", render: (roles: string[]) => roles.join(", ") },
        ...(targets.some((one) => one.labels.length > 0) ? [{ title: t("plan.labels"), dataIndex: "labels", render: list }] : []),
        ...(targets.some((one) => one.taints.length > 0) ? [{ title: t("plan.taints"), dataIndex: "taints", render: list }] : []),
      ]}
    />
  );
}

function ContainerView({ container }: { container: Container }) {
  const { t } = useTranslation("tickets");
  return (
    <details className="container">
      <summary>
        <strong>{container.name}</strong> <span className="mono muted">{container.image}</span>
      </summary>
      <div className="container-command">
        <pre className="mono" tabIndex={0} aria-label={t("plan.command", { name: container.name })}>
          {container.command.join("\n")}
        </pre>
        <CopyButton text={container.command.join(" ")} label={t("plan.copyCommand")} />
      </div>
      <JsonView value={container.create} />
    </details>
  );
}

function Specs({ nodes }: { nodes: NodeSpec[] }) {
  const { t } = useTranslation("tickets");
  const [name, setName] = useState(nodes[0]?.name);
  const node = nodes.find((one) => one.name === name) ?? nodes[0];
  if (!node) return null;
  return (
    <Flex vertical gap={6}>
      <Select
        size="small"
        className="spec-node"
        showSearch
        aria-label={t("plan.node")}
        value={node.name}
        onChange={setName}
        options={nodes.map((one) => ({ value: one.name, label: one.name }))}
      />
      <div className="mono muted wrap">{node.images.join("  ")}</div>
      {node.containers.map((one) => (
        <ContainerView key={one.name} container={one} />
      ))}
      {(node.labels.length > 0 || node.taints.length > 0) && (
        <div className="wrap">
          {t("plan.nodeObject")} <bdi className="mono">{[...node.labels, ...node.taints].join("  ")}</bdi>
        </div>
      )}
    </Flex>
  );
}

function Checks({ parts }: { parts: Parts }) {
  const { t } = useTranslation("tickets");
  if (!parts.checks) return null;
  const counts = levelCounts(parts.checks);
  const shown = (["error", "warning", "unknown", "ok"] satisfies Level[]).filter((level) => counts[level] > 0);
  return (
    <Section title={t("plan.checks")}>
      <Flex gap={16} wrap align="center">
        {shown.map((level) => (
          <StateText key={level} kind="finding" state={level} detail={<b>{counts[level]}</b>} />
        ))}
        <Link from="/tickets/$ticket" to="." search={(before) => ({ ...before, tab: "checks" as const })}>
          {t("plan.toChecks")}
        </Link>
      </Flex>
    </Section>
  );
}

function Playbook({ parts }: { parts: Parts }) {
  const { t } = useTranslation("tickets");
  if (parts.playbook === null) return null;
  return (
    <Section title={t("plan.playbook", { name: parts.playbook })}>
      <ol className="tasks">
        {parts.tasks.map((one, at) => (
          <li key={`${one.role} ${one.task} ${at}`}>
            {one.role !== "" && <code className="muted">{one.role}</code>} {one.task}
          </li>
        ))}
      </ol>
      {parts.variables && <JsonView value={parts.variables} />}
    </Section>
  );
}

function Change({ parts }: { parts: Parts }) {
  const { t } = useTranslation("tickets");
  if (parts.diff.length === 0 && parts.settings.length === 0) return null;
  return (
    <Section title={t("plan.config")} extra={parts.diff.length > 0 && <CopyButton text={parts.diff.join("\n")} label={t("plan.copyDiff")} />}>
      {parts.settings.length > 0 && (
        <ul className="settings-list mono">
          {parts.settings.map((path) => (
            <li key={path}>
              <bdi>{path}</bdi>
            </li>
          ))}
        </ul>
      )}
      {parts.diff.length > 0 && <UnifiedDiff lines={parts.diff} label={t("plan.config")} />}
    </Section>
  );
}

export function PlanParts({ parts, effect, params }: { parts: Parts; effect: string; params: Record<string, unknown> }) {
  const { t, i18n } = useTranslation("tickets");
  return (
    <>
      {parts.facts.length > 0 && (
        <dl className="facts">
          {parts.facts.map(({ key, value }) => (
            <div key={key}>
              <dt>{t(`plan.fact.${key}`)}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {parts.targets.length > 0 && (
        <Section title={t("plan.targets", { count: parts.targets.length })}>
          <Targets targets={parts.targets} />
        </Section>
      )}
      <Change parts={parts} />
      <Playbook parts={parts} />
      {parts.nodes.length > 0 && (
        <Section title={t("plan.containers")}>
          <Specs nodes={parts.nodes} />
        </Section>
      )}
      <Checks parts={parts} />
      {parts.catalogue.length > 0 && (
        <Section title={t("plan.catalogue", { count: parts.catalogue.length })}>
          <ul className="catalogue">
            {parts.catalogue.map(({ id, title }) => (
              <li key={id}>
                {pick(title, i18n.language)} <code className="muted">{id}</code>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title={t("plan.onFailure")}>
        <p>{t(`effect.${effect}`)}</p>
        {parts.onFailure !== null && <p lang="en">{parts.onFailure}</p>}
      </Section>
      <Section title={t("plan.inputs")}>
        <JsonView value={params} />
        <JsonView value={parts.rest} />
      </Section>
    </>
  );
}
