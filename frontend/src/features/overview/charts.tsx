/** The three pictures of the overview. Their library is fetched when the page is. */
import { Spin } from "antd";
import { lazy, Suspense, useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { OverviewOut } from "../../api/client";
import { pick } from "../../api/problem";
import { places } from "./figures";

const Chart = lazy(() => import("./chart"));
const COLOURS: Record<string, string> = { free: "#7d8590", reserved: "#1668dc", in_cluster: "#2e9e5b", fault: "#c1121f", retired: "#b58a00" };
const GRID = { left: 8, right: 16, top: 32, bottom: 4, containLabel: true };
const WAIT = <Spin style={{ height: 220, width: "100%" }} />;

export function FleetChart({ machines }: { machines: OverviewOut["machines"] }) {
  const { t, i18n } = useTranslation("overview");
  const { names, series } = useMemo(() => places(machines), [machines]);
  const title = (name: string) => name || t("noPlace");
  const option = useMemo(
    () => ({
      grid: GRID,
      legend: { top: 0, left: 0 },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" } },
      xAxis: { type: "value" },
      yAxis: { type: "category", inverse: true, data: names.map(title) },
      series: series.map(({ state, counts }) => ({
        type: "bar", stack: "machines", name: t(`state.${state}`), data: counts, barMaxWidth: 22,
        itemStyle: { color: COLOURS[state] },
      })),
    }),
    [names, series, i18n.language],
  );
  const head = [t("place"), ...series.map(({ state }) => t(`state.${state}`))];
  const rows = names.map((name, at) => [title(name), ...series.map(({ counts }) => counts[at]!)]);
  return (
    <Suspense fallback={WAIT}>
      <Chart label={t("fleet")} option={option} height={Math.max(160, 60 + names.length * 30)} table={{ head, rows }} />
    </Suspense>
  );
}

export function ApprovalChart({ days }: { days: OverviewOut["approvals"]["days"] }) {
  const { t, i18n } = useTranslation("overview");
  const option = useMemo(
    () => ({
      grid: GRID,
      legend: { top: 0, left: 0 },
      tooltip: { trigger: "axis" },
      xAxis: { type: "category", data: days.map((one) => one.day.slice(5)) },
      yAxis: [
        { type: "value", minInterval: 1 },
        { type: "value", splitLine: { show: false } },
      ],
      series: [
        { type: "bar", name: t("approvals.decided"), data: days.map((one) => one.decided), barMaxWidth: 26, itemStyle: { color: "#1668dc" } },
        {
          type: "line", yAxisIndex: 1, name: t("approvals.minutes"), itemStyle: { color: "#b58a00" },
          data: days.map((one) => (one.median_seconds === null ? null : Math.round(one.median_seconds / 6) / 10)),
        },
      ],
    }),
    [days, i18n.language],
  );
  const head = [t("day"), t("approvals.decided"), t("approvals.minutes")];
  const rows = days.map((one) => [one.day, one.decided, one.median_seconds === null ? "–" : Math.round(one.median_seconds / 60)]);
  return (
    <Suspense fallback={WAIT}>
      <Chart label={t("approvals")} option={option} height={220} table={{ head, rows }} />
    </Suspense>
  );
}

export function FailureChart({ steps }: { steps: OverviewOut["failures"]["by_step"] }) {
  const { t, i18n } = useTranslation("overview");
  const names = steps.map((one) => pick(one.title, i18n.language));
  const option = useMemo(
    () => ({
      grid: { ...GRID, top: 8 },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" } },
      xAxis: { type: "value", minInterval: 1 },
      yAxis: { type: "category", inverse: true, data: names },
      series: [{ type: "bar", name: t("failures.nodes"), data: steps.map((one) => one.count), barMaxWidth: 22, itemStyle: { color: "#c1121f" } }],
    }),
    [steps, i18n.language],
  );
  return (
    <Suspense fallback={WAIT}>
      <Chart
        label={t("failures")}
        option={option}
        height={Math.max(110, 40 + steps.length * 32)}
        table={{ head: [t("step"), t("failures.nodes")], rows: steps.map((one, at) => [names[at]!, one.count]) }}
      />
    </Suspense>
  );
}
