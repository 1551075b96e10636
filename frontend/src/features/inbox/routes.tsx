import { InboxOutlined } from "@ant-design/icons";
import { createRoute } from "@tanstack/react-router";
import { lazyPage, type NavEntry } from "../../lib/feature";
import { may } from "../../lib/queries";
import { shellRoute } from "../../lib/roots";
import { readInboxSearch } from "./state";

const inboxRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: "/inbox",
  validateSearch: readInboxSearch,
  component: lazyPage("inbox", () => import("./inbox-page"), "InboxPage"),
});

export const routes = [inboxRoute] as const;

export const nav: NavEntry[] = [
  { to: "/inbox", label: "inbox:nav", icon: <InboxOutlined />, order: 30, visible: (me) => may(me, "ticket:read") },
];
