/** What a step waits for, in words. */
import { useTranslation } from "react-i18next";
import { pick } from "../../api/problem";
import { type Cause, holders } from "./rail";

/** Permissions in a catalogue key: a colon would name another catalogue. */
export const permissionKey = (permission: string): string => `permission.${permission.replace(":", ".")}`;

export function useCauseText(): (cause: Cause) => string {
  const { t, i18n } = useTranslation("tickets");
  return (cause) => {
    switch (cause.kind) {
      case "locks": {
        const numbers = holders(cause.locks).map(({ number }) => `#${number}`);
        return numbers.length > 0 ? t("cause.locks", { tickets: numbers.join(", ") }) : t("cause.queue");
      }
      case "gate":
        return t(cause.phase === "PRE" ? "cause.gatePre" : "cause.gatePost", {
          count: cause.missing,
          role: cause.permission ? t(permissionKey(cause.permission)) : "",
        });
      case "running":
        return cause.total > 0 ? t("cause.running", { done: cause.done, total: cause.total }) : t("cause.runningWhole");
      case "skipped":
        return pick(cause.reason, i18n.language);
      case "stuck":
        return pick(cause.words, i18n.language);
      case "person":
        return t(`cause.person.${cause.state}`);
      default:
        return t(`cause.${cause.kind}`);
    }
  };
}

/** The reason of a button, from the api or from the catalogue. */
export function useReasonText(): (reason: { words: { zh: string; en: string } } | { key: string } | null) => string | null {
  const { t, i18n } = useTranslation("tickets");
  return (reason) => {
    if (reason === null) return null;
    return "words" in reason ? pick(reason.words, i18n.language) : t(reason.key);
  };
}
