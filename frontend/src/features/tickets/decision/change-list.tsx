/** What differs between two plans of a step. Props: `before`, `after` plan hashes; `title`. */
import { useQuery } from "@tanstack/react-query";
import { Alert } from "antd";
import { useTranslation } from "react-i18next";
import type { PlanChangeOut } from "../../../api/client";
import { asProblem } from "../../../api/problem";
import { ProblemAlert } from "../../../components/problem-alert";
import { Pending } from "../pending";
import { changesQuery } from "../queries";
import { readable, valueText } from "./changes";

const MOST = 40;

function Value({ value }: { value: unknown }) {
  const { t } = useTranslation("tickets");
  if (value === null || value === undefined) return <span className="muted">{t("changes.nothing")}</span>;
  return (
    <bdi className="mono wrap" title={typeof value === "string" ? value : undefined}>
      {valueText(value)}
    </bdi>
  );
}

function Change({ change }: { change: PlanChangeOut }) {
  return (
    <li>
      <code>
        <bdi>{change.path}</bdi>
      </code>
      <div>
        <del>
          <Value value={change.before} />
        </del>{" "}
        →{" "}
        <ins>
          <Value value={change.after} />
        </ins>
      </div>
    </li>
  );
}

export function ChangeList(props: { ticketId: string; step: string; before: string; after: string; title: string }) {
  const { t, i18n } = useTranslation("tickets");
  const changes = useQuery(changesQuery(props.ticketId, props.step, props.before, props.after));
  if (changes.error) return <ProblemAlert problem={asProblem(changes.error)} />;
  if (!changes.data) return <Pending />;
  const list = readable(changes.data, i18n.language);
  return (
    <Alert
      type="warning"
      className="dense change-list"
      title={`${props.title}: ${t("changes.count", { count: list.length })}`}
      description={
        <ul className="changes" tabIndex={0} aria-label={props.title}>
          {list.slice(0, MOST).map((one) => (
            <Change key={`${one.path} ${one.kind}`} change={one} />
          ))}
          {list.length > MOST && <li className="muted">{t("common:danger.more", { count: list.length - MOST })}</li>}
        </ul>
      }
    />
  );
}
