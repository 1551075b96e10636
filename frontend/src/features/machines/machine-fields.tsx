/** Fields of a machine as name and value, group by group. Props: `groups` title key → field names. */
import { useTranslation } from "react-i18next";
import type { MachineDetail } from "../../api/client";

type Groups = Readonly<Record<string, readonly (keyof MachineDetail)[]>>;

function shown(value: unknown): string {
  return value === null || value === "" || value === undefined ? "–" : String(value);
}

export function FieldList({ machine, groups }: { machine: MachineDetail; groups: Groups }) {
  const { t } = useTranslation("machines");
  return (
    <>
      {Object.entries(groups).map(([group, names]) => (
        <section key={group} aria-labelledby={`fields-${group}`}>
          <h2 id={`fields-${group}`} className="fields-title">
            {t(`group.${group}`)}
          </h2>
          <dl className="fields">
            {names.map((name) => (
              <div key={name}>
                <dt className="muted">{t(`column.${name}`)}</dt>
                <dd>{shown(machine[name])}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </>
  );
}
