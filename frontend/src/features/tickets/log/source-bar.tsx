/** Which step, run and node the log is of, and the files. Only logs that exist can be chosen. */
import { DownloadOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button, Flex, Select } from "antd";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { ticketQuery } from "../queries";
import { runsOf } from "../rail";
import { fileUrl, zipUrl } from "./log-queries";
import { attemptsOf, type Choice, type LogStream, nodesOf, type Source, stepsOf } from "./log-sources";

type Props = {
  ticketId: string;
  streams: readonly LogStream[];
  step: string;
  choice: Choice;
  source: Source;
  nameOf: (nodeId: string | null) => string;
  onChoose: (choice: Choice) => void;
};

const ALL = "*";

function useTitles(ticketId: string) {
  const { t, i18n } = useTranslation("log");
  const steps = useQuery(ticketQuery(ticketId)).data?.steps ?? [];
  const of = (key: string) => steps.find((one) => one.key === key);
  const step = (key: string) => {
    const found = of(key);
    return found ? pick(found.title, i18n.language) : key;
  };
  const run = (key: string, n: number, purpose: string) => {
    const found = of(key);
    const ordinal = found && new Map(runsOf(found).map((one) => [one.n, one.ordinal])).get(n);
    return purpose === "RUN" ? t("run.n", { n: ordinal ?? n }) : t("run.other", { purpose: t(`purpose.${purpose}`, { defaultValue: purpose }), n });
  };
  return { step, run };
}

export function SourceBar({ ticketId, streams, step, choice, source, nameOf, onChoose }: Props) {
  const { t } = useTranslation("log");
  const titles = useTitles(ticketId);
  const nodes = nodesOf(streams, step, choice.attempt);
  const runs = attemptsOf(streams, step);
  const run = choice.attempt ?? (source.kind === "stream" ? source.stream.attempt_n : 0);
  return (
    <Flex gap={8} wrap align="center">
      <Select
        size="small"
        className="log-step-choice"
        aria-label={t("source.step")}
        value={step}
        onChange={(key) => onChoose({ step: key })}
        options={[...new Set([...stepsOf(streams), step])].map((key) => ({ value: key, label: titles.step(key) }))}
      />
      <Select
        size="small"
        className="log-run-choice"
        aria-label={t("source.run")}
        value={run}
        onChange={(n) => onChoose({ step, nodeId: choice.nodeId, attempt: n === 0 ? undefined : n })}
        options={[{ value: 0, label: t("run.all") }, ...runs.map(({ n, purpose }) => ({ value: n, label: titles.run(step, n, purpose) }))]}
      />
      <Select
        size="small"
        className="log-node-choice"
        showSearch={{ optionFilterProp: "label" }}
        aria-label={t("source.node")}
        value={choice.nodeId ?? ALL}
        onChange={(id) => onChoose({ step, attempt: choice.attempt, nodeId: id === ALL ? undefined : id })}
        options={[
          { value: ALL, label: t(choice.attempt === undefined ? "node.merged" : "node.run") },
          ...nodes.map(({ id, failed }) => ({ value: id, label: failed ? t("node.failed", { name: nameOf(id) }) : nameOf(id) })),
        ]}
      />
      <span className="log-files">
        {source.kind === "stream" && (
          <Button size="small" type="text" icon={<DownloadOutlined aria-hidden />} href={fileUrl(ticketId, source.stream.id)} download>
            {t("file.one")}
          </Button>
        )}
        <Button size="small" type="text" icon={<DownloadOutlined aria-hidden />} href={zipUrl(ticketId)} download>
          {t("file.all")}
        </Button>
      </span>
    </Flex>
  );
}
