/** Shown while machines are chosen, and fetched then: how many, all that match, what can be done with them, and which stand in the way. */
import { useMutation } from "@tanstack/react-query";
import { App, Button, Dropdown, Flex, Popover } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem, pick } from "../../api/problem";
import { ReasonButton } from "../../components/reason-button";
import { copyText } from "../../lib/clipboard";
import { columnOf } from "./queries";
import { count, matching, NOTHING, type Selection, toggled } from "./selection";
import { ACTIONS, type Possible, useBegin, usePossible } from "./use-actions";

const COPIED = ["address", "hostname", "sn", "internal_address", "rack", "cmdb_id"] as const;

function Blocked({ possible, onLeaveOut }: { possible: Possible; onLeaveOut: () => void }) {
  const { t, i18n } = useTranslation("machines");
  const list = (
    <Flex vertical gap={8} style={{ maxWidth: 460 }}>
      <ul className="blocked" tabIndex={0} aria-label={t("bulk.which")}>
        {possible.blocked.slice(0, 200).map((machine) => (
          <li key={machine.machine_id}>
            <strong>{machine.hostname}</strong> {pick(machine.reason, i18n.language)}
          </li>
        ))}
      </ul>
      <Button onClick={onLeaveOut}>{t("bulk.leaveOut", { count: possible.blocked.length })}</Button>
    </Flex>
  );
  return (
    <Popover trigger="click" content={list}>
      <Button size="small" type="link">
        {t("bulk.which")}
      </Button>
    </Popover>
  );
}

function BulkAction(props: { possible: Possible; selection: Selection; onSelection: (selection: Selection) => void }) {
  const { t } = useTranslation("machines");
  const { possible, selection } = props;
  const begin = useMutation({ mutationFn: useBegin() });
  const leaveOut = () => props.onSelection(toggled(selection, possible.blocked.map((one) => one.machine_id), false));
  return (
    <Flex align="center">
      <ReasonButton size="small" reason={possible.reason} loading={begin.isPending} onClick={() => begin.mutate(selection)}>
        {t(`action.${possible.action}`)}
      </ReasonButton>
      {possible.blockedTotal > 0 && possible.allowed > 0 && <Blocked possible={possible} onLeaveOut={leaveOut} />}
    </Flex>
  );
}

function CopyMenu({ selection }: { selection: Selection }) {
  const { t, i18n } = useTranslation("machines");
  const { message } = App.useApp();
  const copy = useMutation({
    mutationFn: async (column: string) => copyText(((await columnOf(selection, column)).values ?? []).join("\n")),
    onSuccess: () => void message.success(t("common:copy.copied")),
    onError: (error) => void message.error(pick(asProblem(error).cause, i18n.language)),
  });
  const items = COPIED.map((column) => ({ key: column, label: t(`column.${column}`) }));
  return (
    <Dropdown trigger={["click"]} menu={{ items, onClick: ({ key }) => copy.mutate(key) }}>
      <Button size="small" loading={copy.isPending} aria-haspopup="menu">
        {t("bulk.copy")}
      </Button>
    </Dropdown>
  );
}

export default function BulkBar(props: {
  selection: Selection;
  filter: readonly string[];
  total: number | null;
  onSelection: (selection: Selection) => void;
}) {
  const { t } = useTranslation("machines");
  const { selection, total, onSelection } = props;
  const chosen = count(selection);
  const possible = [
    usePossible(selection, ACTIONS[0]!),
    usePossible(selection, ACTIONS[1]!),
    usePossible(selection, ACTIONS[2]!),
  ];
  return (
    <Flex gap={8} wrap align="center" className="bulk" role="region" aria-label={t("bulk.label")}>
      <strong aria-live="polite">{t("bulk.count", { count: chosen })}</strong>
      {selection.kind === "some" && total !== null && total > chosen && (
        <Button size="small" type="link" onClick={() => onSelection(matching(props.filter, total))}>
          {t("bulk.all", { count: total })}
        </Button>
      )}
      {possible.map((one) => (
        <BulkAction key={one.action} possible={one} selection={selection} onSelection={onSelection} />
      ))}
      <CopyMenu selection={selection} />
      <Button size="small" type="text" onClick={() => onSelection(NOTHING)}>
        {t("bulk.clear")}
      </Button>
    </Flex>
  );
}
