/** Who did what, newest first: append-only, each event chained to the one before by its hash. */
import { useQuery } from "@tanstack/react-query";
import { Flex, Switch } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { type ActivityGroup, chainHolds, groupsOf, isPerson, placeholders } from "./activity";
import { JsonView } from "./json-view";
import { eventsQuery } from "./queries";
import type { TabProps } from "./ticket-tabs";
import type { Ticket, TicketEvent } from "./types";
import { useTicketSearch } from "./use-ticket";

function useSentence(ticket: Ticket): (event: TicketEvent) => string {
  const { t, i18n } = useTranslation("tickets");
  const title = (key: string) => {
    const step = ticket.steps.find((one) => one.key === key);
    return step ? pick(step.title, i18n.language) : key;
  };
  return (event) => {
    const found: Record<string, string | number> = placeholders(event);
    if (typeof found["step"] === "string") found["step"] = title(found["step"]);
    if (typeof found["to"] === "string") found["to"] = t(`step.${found["to"]}`);
    if (typeof found["purpose"] === "string") found["purpose"] = t(`purpose.${found["purpose"]}`);
    if (typeof found["phase"] === "string") found["phase"] = t(`phase.${found["phase"]}`);
    if (typeof found["decision"] === "string") found["decision"] = t(`decision.${found["decision"]}`);
    if (typeof found["state"] === "string") found["state"] = t(`${event.kind.startsWith("ticket") ? "ticket" : "attempt"}.${found["state"]}`);
    return i18n.exists(`tickets:event.${event.kind}`) ? t(`event.${event.kind}`, found) : event.kind;
  };
}

function Entry({ event, sentence }: { event: TicketEvent; sentence: string }) {
  const { t } = useTranslation("tickets");
  const comment = event.body["comment"] ?? event.body["reason"];
  return (
    <li className="event" data-kind={event.kind}>
      <span className="event-seq mono">{event.seq}</span>
      <span className="event-text">
        {isPerson(event) && (
          <strong>
            <bdi>{event.actor_name ?? event.actor_id?.slice(0, 8)}</bdi>{" "}
          </strong>
        )}
        <span>{sentence}</span>
        {typeof comment === "string" && comment !== "" && <bdi className="event-comment">{comment}</bdi>}
        <JsonView value={event.body} />
      </span>
      <span className="muted">
        <TimeText at={event.at} />
      </span>
      <span className="event-hash">
        <code title={event.hash}>{event.hash.slice(0, 10)}</code>
        <CopyButton text={event.hash} label={t("activity.copyHash", { seq: event.seq })} />
      </span>
    </li>
  );
}

function Group({ group, say }: { group: ActivityGroup; say: (event: TicketEvent) => string }) {
  const { t } = useTranslation("tickets");
  if (group.kind === "person") return <Entry event={group.event} sentence={say(group.event)} />;
  const newest = group.events[0]!;
  return (
    <li className="event-group">
      <details>
        <summary>
          <span>{t("activity.folded", { count: group.events.length })}</span>
          <span className="muted ellipsis">{say(newest)}</span>
          <span className="muted">
            <TimeText at={newest.at} />
          </span>
        </summary>
        <ol className="events">
          {group.events.map((event) => (
            <Entry key={event.seq} event={event} sentence={say(event)} />
          ))}
        </ol>
      </details>
    </li>
  );
}

export function ActivityTab({ ticket }: TabProps) {
  const { t } = useTranslation("tickets");
  const [search, change] = useTicketSearch();
  const events = useQuery(eventsQuery(ticket.id));
  const say = useSentence(ticket);
  const people = search.people === true;
  if (events.error) return <ProblemAlert problem={asProblem(events.error)} />;
  const found = events.data ?? [];
  return (
    <Flex vertical gap={8}>
      <Flex gap={16} align="center" wrap>
        <label className="switch-label">
          <Switch size="small" checked={people} onChange={(on) => change({ people: on || undefined })} /> {t("activity.people")}
        </label>
        {found.length > 0 && (
          <span className="muted">{chainHolds(found) ? t("activity.whole", { count: found.length }) : t("activity.broken")}</span>
        )}
      </Flex>
      <ol className="events" aria-label={t("tab.activity")}>
        {groupsOf(found, people).map((group) => (
          <Group key={group.kind === "person" ? group.event.seq : group.events.at(-1)!.seq} group={group} say={say} />
        ))}
      </ol>
    </Flex>
  );
}
