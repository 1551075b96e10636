/** One thing that is stuck: what, since when, which tickets, and the one thing to do about it.
 * Props: `item`; `onRepair` opens the question; `ticketId` of the page it stands on, which needs no link to itself. */
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { StuckOut } from "../../../api/client";
import { pick } from "../../../api/problem";
import { ReasonButton } from "../../../components/reason-button";
import { TimeText } from "../../../components/time-text";
import { UserName } from "../../../components/user-name";
import { TicketLink } from "../ticket-link";
import { choiceOf } from "./state";

const LINKS = 5;

function Tickets({ item, except }: { item: StuckOut; except: string | undefined }) {
  const { t } = useTranslation("stuck");
  const others = item.tickets.filter((ticket) => ticket.id !== except);
  const more = Math.max(0, others.length - LINKS) + item.more_tickets;
  if (others.length === 0 && more === 0) return null;
  return (
    <span className="stuck-tickets">
      {t("tickets")}
      {others.slice(0, LINKS).map(({ id, number }) => (
        <TicketLink key={id} number={number} />
      ))}
      {more > 0 && <span>{t("more", { count: more })}</span>}
    </span>
  );
}

type Props = { item: StuckOut; onRepair: () => void; ticketId?: string };

function Choice({ item, onRepair, ticketId }: Props) {
  const { t, i18n } = useTranslation("stuck");
  const choice = choiceOf(item);
  switch (choice.kind) {
    case "repair":
      return (
        <ReasonButton size="small" reason={choice.reason && pick(choice.reason, i18n.language)} onClick={onRepair}>
          {item.repair && pick(item.repair.label, i18n.language)}
        </ReasonButton>
      );
    case "asked":
      return (
        <span className="stuck-asked" role="status">
          {item.repair && pick(item.repair.label, i18n.language)} · <TimeText at={choice.at} /> · <UserName id={choice.by} />
        </span>
      );
    case "ticket":
      return (
        ticketId === undefined && (
          <Link to="/tickets/$ticket" params={{ ticket: String(choice.number) }}>
            {t("openTicket", { number: choice.number })}
          </Link>
        )
      );
    case "users":
      return <Link to="/settings/users">{t("openUsers")}</Link>;
    default:
      return null;
  }
}

export function StuckItem(props: Props) {
  const { item, ticketId } = props;
  const { t, i18n } = useTranslation("stuck");
  const linked = choiceOf(item).kind === "ticket" && item.tickets.length === 1;
  return (
    <div className="stuck-item" data-cause={item.cause}>
      <div className="stuck-words">
        <strong>
          <bdi>{pick(item.title, i18n.language)}</bdi>
        </strong>
        <span className="stuck-since">
          {t("since")} <TimeText at={item.since} />
        </span>
        {!linked && <Tickets item={item} except={ticketId} />}
        <span className="stuck-remedy">{pick(item.remedy, i18n.language)}</span>
      </div>
      <Choice {...props} />
    </div>
  );
}
