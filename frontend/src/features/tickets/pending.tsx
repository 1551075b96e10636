/** Something is on its way. */
import { Spin } from "antd";
import { useTranslation } from "react-i18next";

export function Pending() {
  const { t } = useTranslation("tickets");
  return (
    <div className="tab-pending" role="status" aria-label={t("common:loading")}>
      <Spin />
    </div>
  );
}
