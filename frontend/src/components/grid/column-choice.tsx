/** What `ColumnMenu` opens, in a chunk of its own. */
import { PushpinFilled, PushpinOutlined } from "@ant-design/icons";
import { Button, Checkbox, Radio } from "antd";
import { useTranslation } from "react-i18next";
import { initialState } from "./layout";
import type { GridColumn, GridGroup, GridState } from "./types";

export type ColumnMenuProps<Row> = {
  columns: ReadonlyArray<GridColumn<Row>>;
  groups?: readonly GridGroup[];
  state: GridState;
  onState: (state: GridState) => void;
};

const without = (ids: readonly string[], id: string) => ids.filter((one) => one !== id);

export function toggleHidden(state: GridState, id: string): GridState {
  const hidden = state.hidden.includes(id) ? without(state.hidden, id) : [...state.hidden, id];
  return { ...state, hidden };
}

/** To the left, or back among the others; a column pinned at the right moves over. */
export function togglePin(state: GridState, id: string): GridState {
  const left = state.left.includes(id) ? without(state.left, id) : [...state.left, id];
  return { ...state, left, right: without(state.right, id) };
}

function ColumnLine<Row>({ column, state, onState }: { column: GridColumn<Row> } & Pick<ColumnMenuProps<Row>, "state" | "onState">) {
  const { t } = useTranslation();
  const pinned = state.left.includes(column.id);
  return (
    <li className="grid-menu-line">
      <Checkbox
        checked={!state.hidden.includes(column.id)}
        disabled={column.always ?? false}
        onChange={() => onState(toggleHidden(state, column.id))}
      >
        {column.title}
      </Checkbox>
      <Button
        type="text"
        size="small"
        aria-pressed={pinned}
        aria-label={t("grid.pin", { name: column.title })}
        icon={pinned ? <PushpinFilled aria-hidden /> : <PushpinOutlined aria-hidden />}
        onClick={() => onState(togglePin(state, column.id))}
      />
    </li>
  );
}

export default function ColumnChoice<Row>({ columns, groups = [], state, onState }: ColumnMenuProps<Row>) {
  const { t } = useTranslation();
  const known = new Set(groups.map((group) => group.id));
  const sections = [
    ...groups.map((group) => ({ title: group.title, own: columns.filter((column) => column.group === group.id) })),
    {
      title: t("grid.otherColumns"),
      own: columns.filter((column) => !column.pin?.startsWith("r") && (!column.group || !known.has(column.group))),
    },
  ].filter((section) => section.own.length > 0);
  return (
    <div className="grid-menu">
      {sections.map((section) => (
        <section key={section.title} aria-label={section.title}>
          <strong>{section.title}</strong>
          <ul>
            {section.own.map((column) => (
              <ColumnLine key={column.id} column={column} state={state} onState={onState} />
            ))}
          </ul>
        </section>
      ))}
      <Radio.Group
        aria-label={t("grid.density")}
        optionType="button"
        size="small"
        value={state.density}
        onChange={(event) => onState({ ...state, density: event.target.value as GridState["density"] })}
        options={[
          { value: "compact", label: t("grid.density.compact") },
          { value: "normal", label: t("grid.density.normal") },
        ]}
      />
      <Button size="small" onClick={() => onState({ ...initialState(columns), density: state.density })}>
        {t("grid.columnsReset")}
      </Button>
    </div>
  );
}
