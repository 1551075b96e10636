/** A person's name by id, from one list for the whole page.
 * Props: `id` (null = the system itself). Unknown ids show their beginning. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { listPeople } from "../api/client";

export const directoryQuery = queryOptions({
  queryKey: ["directory"],
  queryFn: async ({ signal }) => Object.fromEntries((await listPeople({ signal })).map((person) => [person.id, person])),
  staleTime: 5 * 60_000,
});

export function UserName({ id }: { id: string | null }) {
  const { t } = useTranslation();
  const { data } = useQuery(directoryQuery);
  if (id === null) return <span className="muted">{t("user.system")}</span>;
  const person = data?.[id];
  if (!person) return <span className="mono muted">{id.slice(0, 8)}</span>;
  return (
    <Tooltip title={person.name}>
      <span>{person.display_name}</span>
    </Tooltip>
  );
}
