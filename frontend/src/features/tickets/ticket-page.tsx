import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Flex, Result, Spin } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem, Problem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { idQuery, ticketQuery } from "./queries";
import { numberIn } from "./search";
import { TicketView } from "./ticket-view";
import "./tickets.css";

const route = getRouteApi("/shell/tickets/$ticket");

function Loading() {
  const { t } = useTranslation("tickets");
  return (
    <Flex justify="center" align="center" className="page-pending" role="status" aria-label={t("common:loading")}>
      <Spin size="large" />
    </Flex>
  );
}

function NoTicket({ name }: { name: string }) {
  const { t } = useTranslation("tickets");
  return (
    <Result
      status="404"
      title={t("missing.title", { name })}
      subTitle={t("missing.text")}
      extra={<Link to="/tickets">{t("missing.list")}</Link>}
    />
  );
}

function TicketById({ id, name }: { id: string; name: string }) {
  const ticket = useQuery(ticketQuery(id));
  if (ticket.data) return <TicketView key={id} ticket={ticket.data} />;
  if (!ticket.error) return <Loading />;
  const gone = ticket.error instanceof Problem && [404, 422].includes(ticket.error.status);
  return gone ? <NoTicket name={name} /> : <ProblemAlert problem={asProblem(ticket.error)} />;
}

function TicketByNumber({ number }: { number: number }) {
  const id = useQuery(idQuery(number));
  if (id.data) return <TicketById id={id.data} name={`#${number}`} />;
  if (id.error) return <ProblemAlert problem={asProblem(id.error)} />;
  return id.isPending ? <Loading /> : <NoTicket name={`#${number}`} />;
}

export function TicketPage() {
  const { ticket } = route.useParams();
  const number = numberIn(ticket);
  return number === null ? <TicketById id={ticket} name={ticket.slice(0, 40)} /> : <TicketByNumber number={number} />;
}
