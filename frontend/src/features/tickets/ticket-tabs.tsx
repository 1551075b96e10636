/** The tabs of a ticket; the open one is in the address. Each is a chunk of its own. */
import { Tabs } from "antd";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { openGates } from "./state";
import { type Tab, TABS } from "./search";
import type { Ticket } from "./types";
import { useTicketSearch } from "./use-ticket";
import { Pending } from "./pending";

export type TabProps = { ticket: Ticket; step: string | null };

const PAGES: Record<Tab, React.LazyExoticComponent<React.ComponentType<TabProps>>> = {
  plan: lazy(() => import("./plan/plan-tab").then((module) => ({ default: module.PlanTab }))),
  checks: lazy(() => import("./checks/checks-tab").then((module) => ({ default: module.ChecksTab }))),
  nodes: lazy(() => import("./nodes/nodes-tab").then((module) => ({ default: module.NodesTab }))),
  log: lazy(() => import("./log-tab").then((module) => ({ default: module.LogTab }))),
  approvals: lazy(() => import("./approvals-tab").then((module) => ({ default: module.ApprovalsTab }))),
  activity: lazy(() => import("./activity-tab").then((module) => ({ default: module.ActivityTab }))),
};

function Label({ tab, ticket }: { tab: Tab; ticket: Ticket }) {
  const { t } = useTranslation("tickets");
  const open = tab === "approvals" ? openGates(ticket).length : 0;
  return (
    <span>
      {t(`tab.${tab}`)}
      {open > 0 && <span className="count tab-count">{open}</span>}
    </span>
  );
}

export function TicketTabs({ ticket, step, tab }: TabProps & { tab: Tab }) {
  const [, change] = useTicketSearch();
  const Page = PAGES[tab];
  return (
    <section className="ticket-main card">
      <Tabs
        activeKey={tab}
        onChange={(key) => change({ tab: key as Tab, node: undefined, attempt: undefined, line: undefined })}
        items={TABS.map((one) => ({
          key: one,
          label: <Label tab={one} ticket={ticket} />,
          children:
            one === tab ? (
              <Suspense fallback={<Pending />}>
                <Page ticket={ticket} step={step} />
              </Suspense>
            ) : null,
        }))}
      />
    </section>
  );
}
