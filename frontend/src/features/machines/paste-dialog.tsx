/** Machines by a pasted list: found, not found, ambiguous, pasted twice; each list can be copied. */
import { useMutation } from "@tanstack/react-query";
import { Button, Flex, Input, Modal } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { FoundOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { find } from "./queries";

const MOST_IN_ADDRESS = 200;

type Props = { onClose: () => void; onChoose: (ids: string[]) => void; onShow: (ids: string[]) => void };

function Keys({ title, keys }: { title: string; keys: string[] }) {
  const { t } = useTranslation("machines");
  if (keys.length === 0) return null;
  return (
    <div>
      <strong>{title}</strong> <CopyButton text={keys.join("\n")} label={t("paste.copy", { what: title })} />
      <div className="mono pasted" role="group" tabIndex={0} aria-label={title}>{keys.join(", ")}</div>
    </div>
  );
}

function Found({ found, ids, onChoose, onShow }: Omit<Props, "onClose"> & { found: FoundOut; ids: string[] }) {
  const { t } = useTranslation("machines");
  return (
    <Flex vertical gap={8} role="status">
      <strong>{t("paste.found", { count: ids.length })}</strong>
      <Keys title={t("paste.missing", { count: found.missing.length })} keys={found.missing} />
      <Keys title={t("paste.ambiguous", { count: found.ambiguous.length })} keys={found.ambiguous} />
      <Keys title={t("paste.repeated", { count: found.repeated.length })} keys={found.repeated} />
      <Flex gap={8}>
        <Button type="primary" disabled={ids.length === 0} onClick={() => onChoose(ids)}>
          {t("paste.choose", { count: ids.length })}
        </Button>
        <Button disabled={ids.length === 0 || ids.length > MOST_IN_ADDRESS} onClick={() => onShow(ids)}>
          {t("paste.show")}
        </Button>
      </Flex>
    </Flex>
  );
}

export default function PasteDialog({ onClose, onChoose, onShow }: Props) {
  const { t } = useTranslation("machines");
  const [text, setText] = useState("");
  const keys = text.split(/[\s,;，；]+/).filter((key) => key !== "");
  const search = useMutation({ mutationFn: () => find(keys) });
  const ids = [...new Set((search.data?.matches ?? []).map((match) => match.machine.id))];
  const and = (then: (ids: string[]) => void) => (found: string[]) => {
    then(found);
    onClose();
  };
  return (
    <Modal open title={t("paste.title")} footer={null} onCancel={onClose} width={640}>
      <Flex vertical gap={12}>
        <label htmlFor="pasted">{t("paste.help")}</label>
        <Input.TextArea id="pasted" rows={8} className="mono" value={text} onChange={(event) => setText(event.target.value)} />
        {search.error && <ProblemAlert problem={asProblem(search.error)} />}
        <Button disabled={keys.length === 0} loading={search.isPending} onClick={() => search.mutate()}>
          {t("paste.search", { count: keys.length })}
        </Button>
        {search.data && <Found found={search.data} ids={ids} onChoose={and(onChoose)} onShow={and(onShow)} />}
      </Flex>
    </Modal>
  );
}
