/** Things that are stuck, the first one in full, the others behind a button; and the question before a repair.
 * Props: `items`; `banner` across the page, else a box in it; `ticketId` of the page. */
import { Alert, Button } from "antd";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { StuckOut } from "../../../api/client";
import { RepairDialog } from "./repair-dialog";
import "./stuck.css";
import { StuckItem } from "./stuck-item";

export function StuckList({ items, banner = false, ticketId }: { items: readonly StuckOut[]; banner?: boolean; ticketId?: string }) {
  const { t } = useTranslation("stuck");
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<string | null>(null);
  const id = useId();
  const wanted = items.find((item) => item.id === asked);
  const shown = open ? items : items.slice(0, 1);
  return (
    <>
      <Alert
        banner={banner}
        className="stuck"
        type="warning"
        showIcon
        role="region"
        aria-label={t(banner ? "label" : "labelTicket", { count: items.length })}
        title={
          <div id={id}>
            {shown.map((item) => (
              <StuckItem key={item.id} item={item} onRepair={() => setAsked(item.id)} {...(ticketId ? { ticketId } : {})} />
            ))}
          </div>
        }
        action={
          items.length > 1 && (
            <Button size="small" type="text" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
              {open ? t("fewer") : t("others", { count: items.length - 1 })}
            </Button>
          )
        }
      />
      {wanted && <RepairDialog item={wanted} onClose={() => setAsked(null)} />}
    </>
  );
}
