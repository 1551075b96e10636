/** One gate of a decision. Props: `open` the gate and its step; `hash` what would be signed; `checked` and `onCheck` (null =
 * the only one: there is nothing to choose). */
import { Button, Checkbox } from "antd";
import { useTranslation } from "react-i18next";
import { pick } from "../../../api/problem";
import { UserName } from "../../../components/user-name";
import { permissionKey } from "../cause-text";
import { signed } from "../rail";
import type { OpenGate } from "../state";
import { useTicketSearch } from "../use-ticket";

type Props = { open: OpenGate; hash: string; checked: boolean; onCheck: ((on: boolean) => void) | null };

export function GateItem({ open: { gate, step }, hash, checked, onCheck }: Props) {
  const { t, i18n } = useTranslation("tickets");
  const [, change] = useTicketSearch();
  const title = `${pick(step.title, i18n.language)} · ${t(`phase.${gate.phase}`)}`;
  const read = () => change({ tab: gate.phase === "PRE" ? "plan" : "nodes", step: step.key, node: undefined });
  return (
    <li className="decision-gate">
      {onCheck === null ? (
        <strong>{title}</strong>
      ) : (
        <Checkbox checked={checked} onChange={(event) => onCheck(event.target.checked)}>
          <strong>{title}</strong>
        </Checkbox>
      )}
      <div className="decision-about">
        <span>{t(`decide.what.${gate.phase}`)}</span>{" "}
        <code title={hash} data-testid="subject-hash">
          {hash.slice(0, 10)}
        </code>{" "}
        {gate.quorum > 1 && <span className="muted">{t("decide.quorum", { done: signed(gate).length, count: gate.quorum })}</span>}
        <Button type="link" size="small" onClick={read}>
          {t(`decide.read.${gate.phase}`)}
        </Button>
      </div>
      <span className="muted">{t("approvals.role", { role: t(permissionKey(gate.permission)) })}</span>
      {gate.acting_for !== null && (
        <div>
          {t("decide.actingFor")} <UserName id={gate.acting_for} />
        </div>
      )}
    </li>
  );
}
