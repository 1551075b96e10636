import { FileDoneOutlined } from "@ant-design/icons";
import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { may } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";
import { readListSearch, readTicketSearch } from "./search";

const listRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/tickets",
  validateSearch: readListSearch,
  component: lazyPage("tickets", () => import("./tickets-page"), "TicketsPage"),
});

const ticketRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/tickets/$ticket",
  validateSearch: readTicketSearch,
  component: lazyPage("tickets", () => import("./ticket-page"), "TicketPage"),
});

export const routes = [listRoute, ticketRoute] as const;

export const nav: NavEntry[] = [
  { to: "/tickets", label: "common:nav.tickets", icon: <FileDoneOutlined />, order: 40, visible: (me) => may(me, "ticket:read") },
];
