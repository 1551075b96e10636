/** How fresh the CMDB's machines are, and what it contradicts. */
import { useQuery } from "@tanstack/react-query";
import { Button, Flex } from "antd";
import { useTranslation } from "react-i18next";
import { StateTag } from "../../components/state-tag";
import { TimeText } from "../../components/time-text";
import { freshnessQuery } from "./queries";

export function Freshness({ onConflicts }: { onConflicts: () => void }) {
  const { t } = useTranslation("machines");
  const { data } = useQuery(freshnessQuery);
  const conflicts = data?.reduce((sum, source) => sum + source.conflicts, 0) ?? 0;
  return (
    <Flex className="freshness" gap={12} wrap align="center">
      {data?.map((source) => (
        <span key={source.id}>
          <StateTag kind={source.last_outcome === "failed" ? "failed" : source.overdue ? "warning" : "success"}>
            {source.name}
          </StateTag>{" "}
          {source.running_since ? t("fresh.running") : t("fresh.synced")} <TimeText at={source.last_ok_at} />
        </span>
      ))}
      {conflicts > 0 && (
        <Button size="small" type="link" onClick={onConflicts}>
          {t("fresh.conflicts", { count: conflicts })}
        </Button>
      )}
    </Flex>
  );
}
