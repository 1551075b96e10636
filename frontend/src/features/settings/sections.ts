/** The sections of the settings, and who sees which: whoever may read what is in it. */
import type { Me } from "../../api/client";
import { may } from "../../lib/queries";

export type Section = { name: string; to: string; permission: string };

const SECTIONS: Section[] = [
  { name: "users", to: "/settings/users", permission: "user:read" },
  { name: "credentials", to: "/settings/credentials", permission: "credential:read" },
  { name: "cmdb", to: "/settings/cmdb", permission: "cmdb:sync" },
  { name: "gates", to: "/settings/gates", permission: "cluster:write" },
  { name: "engine", to: "/settings/engine", permission: "settings:write" },
  { name: "audit", to: "/settings/audit", permission: "audit:read" },
];

export function sectionsOf(me: Me): Section[] {
  return SECTIONS.filter((section) => may(me, section.permission));
}
