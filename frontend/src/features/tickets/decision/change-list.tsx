/** What differs between two plans of a step. Props: `before`, `after` plan hashes; `title`. */
import { useQuery } from "@tanstack/react-query";
import { Alert } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../../api/problem";
import { ProblemAlert } from "../../../components/problem-alert";
import { changesQuery } from "../queries";
import { Pending } from "../pending";

const MOST = 40;

/** A stretch of lines is a list of texts. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value;
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join("\n") : JSON.stringify(value);
};

function Value({ value }: { value: unknown }) {
  const { t } = useTranslation("tickets");
  if (value === null || value === undefined) return <span className="muted">{t("changes.nothing")}</span>;
  return <bdi className="mono wrap">{textOf(value)}</bdi>;
}

export function ChangeList(props: { ticketId: string; step: string; before: string; after: string; title: string }) {
  const { t } = useTranslation("tickets");
  const changes = useQuery(changesQuery(props.ticketId, props.step, props.before, props.after));
  if (changes.error) return <ProblemAlert problem={asProblem(changes.error)} />;
  if (!changes.data) return <Pending />;
  return (
    <Alert
      type="warning"
      className="change-list"
      title={`${props.title}: ${t("changes.count", { count: changes.data.length })}`}
      description={
        <ul className="changes">
          {changes.data.slice(0, MOST).map((one) => (
            <li key={one.path}>
              <code>
                <bdi>{one.path}</bdi>
              </code>
              <div>
                <del>
                  <Value value={one.before} />
                </del>{" "}
                → <ins><Value value={one.after} /></ins>
              </div>
            </li>
          ))}
          {changes.data.length > MOST && <li className="muted">{t("common:danger.more", { count: changes.data.length - MOST })}</li>}
        </ul>
      }
    />
  );
}
