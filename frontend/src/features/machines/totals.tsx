/** How many machines match, by state; pressing a state filters by it. */
import { Flex } from "antd";
import { useTranslation } from "react-i18next";
import type { MachineOut, SummaryOut } from "../../api/client";
import { MachineState } from "./columns";
import { withFilter } from "./filters";

const ORDER: MachineOut["state"][] = ["free", "reserved", "in_cluster", "fault", "retired"];

export function Totals(props: { summary: SummaryOut | undefined; filter: readonly string[]; onFilter: (filter: string[]) => void }) {
  const { t, i18n } = useTranslation("machines");
  const format = new Intl.NumberFormat(i18n.language);
  const only = (state: string) => props.filter.includes(`state:in:${state}`);
  const press = (state: string) =>
    props.onFilter(withFilter(props.filter, { column: "state", operator: "in", value: only(state) ? "" : state }));
  return (
    <Flex gap={6} wrap align="center" role="group" aria-label={t("totals")}>
      <strong className="total-all" aria-live="polite">
        {props.summary ? t("total", { count: format.format(props.summary.total) as never }) : "…"}
      </strong>
      {ORDER.map((state) => (
        <button key={state} type="button" className="total" aria-pressed={only(state)} onClick={() => press(state)}>
          <MachineState state={state} t={t} />
          <span>{format.format(props.summary?.states[state] ?? 0)}</span>
        </button>
      ))}
    </Flex>
  );
}
