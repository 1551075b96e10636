/** "Try again", for places that show a refusal. Props: `onClick`. */
import { Button } from "antd";
import { useTranslation } from "react-i18next";

export function RetryButton({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <Button size="small" onClick={onClick}>
      {t("action.retry")}
    </Button>
  );
}
