/** What can be done with machines: for the bulk bar and for one row. The server says which and why not. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { pick, type Words } from "../../api/problem";
import { type Action, eligibilityQuery, idsOf } from "./queries";
import { count, type Selection } from "./selection";

export const ACTIONS: Action[] = ["add_workers", "remove_workers", "update_workers"];

export type Possible = {
  action: Action;
  /** Why it cannot be done with these machines; null = it can. */
  reason: string | null;
  allowed: number;
  blocked: { machine_id: string; hostname: string; reason: Words }[];
  blockedTotal: number;
};

export function usePossible(selection: Selection, action: Action, enabled = true): Possible {
  const { t, i18n } = useTranslation("machines");
  const chosen = count(selection);
  const { data, error } = useQuery({ ...eligibilityQuery(selection, action), enabled: enabled && chosen > 0 });
  const base = { action, allowed: data?.allowed ?? 0, blocked: data?.blocked ?? [], blockedTotal: data?.blocked_total ?? 0 };
  const reason = () => {
    if (chosen === 0) return t("bulk.nothing");
    if (error) return t("bulk.unknown");
    if (!data) return t("bulk.asking");
    if (data.unavailable_reason) return pick(data.unavailable_reason, i18n.language);
    if (data.blocked_total > 0) return t("bulk.blocked", { count: data.blocked_total, all: chosen });
    return data.limit !== null && data.allowed > data.limit ? t("bulk.tooMany", { most: data.limit }) : null;
  };
  return { ...base, reason: reason() };
}

/** Goes to the wizard of an action with the machines chosen. */
export function useBegin() {
  const navigate = useNavigate();
  return async (selection: Selection) => {
    const { ids } = await idsOf(selection);
    await navigate({ to: "/add-workers" as string, search: { machines: ids } as never });
  };
}
