/** The operations of one row, open from the start; their reasons are asked for while it is. */
import { MoreOutlined } from "@ant-design/icons";
import { Button, Dropdown } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineOut } from "../../api/client";
import { copyText } from "../../lib/clipboard";
import type { Selection } from "./selection";
import { ACTIONS, useBegin, usePossible } from "./use-actions";

export default function RowMenuItems({ machine }: { machine: MachineOut }) {
  const { t } = useTranslation("machines");
  const [open, setOpen] = useState(true);
  const selection: Selection = { kind: "some", ids: new Set([machine.id]) };
  const possible = [
    usePossible(selection, ACTIONS[0]!, open),
    usePossible(selection, ACTIONS[1]!, open),
    usePossible(selection, ACTIONS[2]!, open),
  ];
  const begin = useBegin();
  const actions = possible.map(({ action, reason, blocked }) => ({
    key: action,
    disabled: reason !== null,
    label: (
      <>
        {t(`action.${action}`)}
        {reason !== null && <Reason reason={reason} blocked={blocked} />}
      </>
    ),
    onClick: () => void begin(selection),
  }));
  const items = [
    ...actions,
    { type: "divider" as const },
    ...(["address", "hostname", "sn"] as const).map((column) => ({
      key: column,
      label: t("row.copy", { what: t(`column.${column}`) }),
      onClick: () => void copyText(String(machine[column])),
    })),
  ];
  return (
    <Dropdown trigger={["click"]} open={open} onOpenChange={setOpen} menu={{ items, className: "row-menu" }}>
      <Button
        type="text"
        size="small"
        tabIndex={-1}
        autoFocus
        icon={<MoreOutlined />}
        aria-haspopup="menu"
        aria-label={t("row.menu", { name: machine.hostname })}
        onClick={(event) => event.stopPropagation()}
      />
    </Dropdown>
  );
}

function Reason({ reason, blocked }: { reason: string; blocked: { reason: { zh: string; en: string } }[] }) {
  const { i18n } = useTranslation("machines");
  const words = blocked[0]?.reason;
  return <div className="reason">{words ? (i18n.language.startsWith("zh") ? words.zh : words.en) : reason}</div>;
}
