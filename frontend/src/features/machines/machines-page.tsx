import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, getRouteApi } from "@tanstack/react-router";
import { Button, Flex } from "antd";
import { lazy, Suspense, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ColumnMenu } from "../../components/grid/column-menu";
import { Grid } from "../../components/grid/grid";
import { initialState } from "../../components/grid/layout";
import type { GridState } from "../../components/grid/types";
import { PageHeader } from "../../components/page-header";
import type { MachineOut } from "../../api/client";
import { columnsOf, groupsOf } from "./columns";
import { ExportMenu } from "./export-menu";
import { FilterBar } from "./filter-bar";
import { Freshness } from "./freshness";
import { machinesQuery, summaryQuery } from "./queries";
import { RowMenu } from "./row-menu";
import { lookOf, type MachineSearch } from "./search";
import { allOf, count, isSelected, NOTHING, type Selection, toggled } from "./selection";
import { Totals } from "./totals";
import { ViewsMenu } from "./views-menu";
import "./machines.css";

const BulkBar = lazy(() => import("./bulk-bar"));
const PasteDialog = lazy(() => import("./paste-dialog"));
const MachineDrawer = lazy(() => import("./machine-drawer"));
const route = getRouteApi("/shell/machines");
const NO_FILTER: string[] = [];

/** The address is the state of the page: what it holds can be shared, kept as a view, and gone back to. */
function useAddress() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const change = (part: Partial<Record<keyof MachineSearch, unknown>>, replace = true) =>
    void navigate({
      to: "/machines" as string,
      replace,
      search: Object.fromEntries(
        Object.entries({ ...search, ...part }).filter(([, value]) => value !== undefined && value !== null),
      ) as never,
    });
  return { search, change };
}

function useColumns() {
  const { t, i18n } = useTranslation("machines");
  const menu = useMemo(
    () => ({
      id: "menu", width: 52, title: t("column.menu"), pin: "right" as const, always: true, align: "center" as const,
      render: (machine: MachineOut) => <RowMenu machine={machine} />,
    }),
    [t, i18n.language],
  );
  return useMemo(() => ({ columns: [...columnsOf(t), menu], groups: groupsOf(t) }), [t, menu]);
}

export function MachinesPage() {
  const { t } = useTranslation("machines");
  const { search, change } = useAddress();
  const filter = search.filter ?? NO_FILTER;
  const { columns, groups } = useColumns();
  const begin = useMemo(() => initialState(columns), [columns]);
  const state = useMemo<GridState>(() => ({ ...begin, ...search.look }), [begin, search.look]);
  const machines = useInfiniteQuery(machinesQuery(filter, search.sort));
  const summary = useQuery(summaryQuery(filter));
  const rows = useMemo(() => machines.data?.pages.flatMap((page) => page.items) ?? [], [machines.data]);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const [pasting, setPasting] = useState(false);
  const ids = useMemo(() => rows.map((row) => row.id), [rows]);
  const setFilter = (next: string[]) => {
    setSelection((now) => (now.kind === "matching" ? NOTHING : now)); // "all that match" meant the old filter
    change({ filter: next.length > 0 ? next : undefined });
  };
  const shown = columns.filter((column) => !state.hidden.includes(column.id) && column.id !== "menu").map((one) => one.id);
  return (
    <div className="page page-fill">
      <PageHeader
        title={t("title")}
        sub={<Freshness onConflicts={() => setFilter(["conflict_count:ge:1"])} />}
        secondary={
          <>
            <ViewsMenu
              search={search}
              onOpen={(view) => change({ filter: undefined, sort: undefined, look: undefined, ...view }, false)}
            />
            <Button onClick={() => setPasting(true)}>{t("paste.open")}</Button>
            <ExportMenu filter={filter} sort={search.sort} columns={shown} selection={selection} />
            <ColumnMenu
              columns={columns}
              groups={groups}
              state={state}
              onState={(next) => change({ look: lookOf(next, begin) })}
            />
          </>
        }
      />
      <Totals summary={summary.data} filter={filter} onFilter={setFilter} />
      <FilterBar filter={filter} onFilter={setFilter} />
      {count(selection) > 0 && (
        <Suspense fallback={null}>
          <BulkBar selection={selection} filter={filter} total={summary.data?.total ?? null} onSelection={setSelection} />
        </Suspense>
      )}
      <Grid<MachineOut>
        label={t("title")}
        columns={columns}
        groups={groups}
        rows={rows}
        rowId={(row) => row.id}
        total={summary.data?.total ?? null}
        state={state}
        onState={(next) => change({ look: lookOf(next, begin) })}
        sort={search.sort ?? "hostname"}
        onSort={(sort) => change({ sort: sort ?? undefined })}
        selection={{
          isSelected: (id) => isSelected(selection, id),
          all: allOf(ids, selection),
          onToggle: (changed, selected) => setSelection(toggled(selection, changed, selected)),
          onToggleAll: (selected) => setSelection(selected ? toggled(selection, ids, true) : NOTHING),
        }}
        onOpen={(row) => change({ machine: row.id, tab: undefined }, false)}
        openId={search.machine ?? null}
        loading={machines.isLoading}
        loadingMore={machines.isFetchingNextPage}
        onEnd={() => {
          if (machines.hasNextPage && !machines.isFetchingNextPage) void machines.fetchNextPage();
        }}
        problem={machines.error ? asProblem(machines.error) : null}
        onRetry={() => void machines.refetch()}
        empty={<EmptyState title={filter.length > 0 ? t("none") : t("noneAtAll")} />}
      />
      <Suspense fallback={<Flex />}>
        {pasting && (
          <PasteDialog
            onClose={() => setPasting(false)}
            onChoose={(found) => setSelection(toggled(NOTHING, found, true))}
            onShow={(found) => setFilter([`id:in:${found.join(",")}`])}
          />
        )}
        {search.machine && (
          <MachineDrawer
            id={search.machine}
            tab={search.tab ?? "facts"}
            onTab={(tab) => change({ tab })}
            onClose={() => change({ machine: undefined, tab: undefined })}
          />
        )}
      </Suspense>
    </div>
  );
}
