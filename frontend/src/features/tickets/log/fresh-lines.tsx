/** Says over the end of the lines how many have come since the reader went away from it; pressed, it follows again. */
import { Button } from "antd";
import { useTranslation } from "react-i18next";

export function FreshLines({ count, onFollow }: { count: number; onFollow: () => void }) {
  const { t } = useTranslation("log");
  if (count === 0) return null;
  return (
    <Button className="log-fresh" type="primary" size="small" shape="round" onClick={onFollow} data-testid="new-lines">
      {t("follow.fresh", { count })}
    </Button>
  );
}
