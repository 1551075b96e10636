/** The other actions on a ticket. Those that cannot be used now stay in the menu with the reason.
 * Props: `ticket`; `onAsk` opens the dialog of an action. */
import { EllipsisOutlined, PauseOutlined, PlayCircleOutlined } from "@ant-design/icons";
import { Button, Dropdown, type MenuProps } from "antd";
import { useTranslation } from "react-i18next";
import { ReasonButton } from "../../components/reason-button";
import { useReasonText } from "./cause-text";
import { type Secondary, secondariesOf } from "./state";
import type { ActionKey, Ticket } from "./types";

const DANGEROUS = new Set<ActionKey>(["cancel", "close"]);
const SHOWN = new Set<ActionKey>(["pause", "resume"]);
const ICONS: Partial<Record<ActionKey, React.ReactNode>> = { pause: <PauseOutlined />, resume: <PlayCircleOutlined /> };

function useItems(actions: Secondary[], onAsk: (key: ActionKey) => void): NonNullable<MenuProps["items"]> {
  const { t } = useTranslation("tickets");
  const reasonText = useReasonText();
  return actions.map(({ key, reason }) => {
    const why = reasonText(reason);
    return {
      key,
      danger: DANGEROUS.has(key) && why === null,
      // Not antd's `disabled`: the reason must be reachable by keyboard. The dialog refuses in the same words.
      className: why === null ? "action-item" : "action-item action-item-off",
      label: (
        <span className="action-label">
          <span>{t(`action.${key}`)}</span>
          {why !== null && <small>{why}</small>}
        </span>
      ),
      onClick: () => onAsk(key),
    };
  });
}

export function ActionMenu({ ticket, onAsk }: { ticket: Ticket; onAsk: (key: ActionKey) => void }) {
  const { t } = useTranslation("tickets");
  const reasonText = useReasonText();
  const actions = secondariesOf(ticket);
  const items = useItems(actions.filter(({ key }) => !SHOWN.has(key)), onAsk);
  if (actions.length === 0) return null;
  return (
    <>
      {actions
        .filter(({ key }) => SHOWN.has(key))
        .map(({ key, reason }) => (
          <ReasonButton key={key} icon={ICONS[key]} reason={reasonText(reason)} onClick={() => onAsk(key)}>
            {t(`action.${key}`)}
          </ReasonButton>
        ))}
      {/* Inside the page's landmark, like the button that opens it. */}
      <Dropdown
        menu={{ items }}
        trigger={["click"]}
        placement="bottomRight"
        classNames={{ root: "action-dropdown" }}
        getPopupContainer={(button) => button.parentElement ?? document.body}
      >
        <Button icon={<EllipsisOutlined />} aria-haspopup="menu" data-testid="more-actions">
          {t("action.more")}
        </Button>
      </Dropdown>
    </>
  );
}
