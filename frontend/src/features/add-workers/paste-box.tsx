/** Choose machines by a pasted list of addresses, host names, serial numbers or networks. */
import { useMutation } from "@tanstack/react-query";
import { Alert, Button, Flex, Input } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { FoundOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { type Draft, pastedKeys, withMachines } from "./draft";
import { find } from "./queries";

function Left({ label, keys }: { label: string; keys: string[] }) {
  const { t } = useTranslation("add-workers");
  if (keys.length === 0) return null;
  return (
    <div>
      {label} <CopyButton text={keys.join("\n")} label={t("paste.copy", { what: label })} />
      <div className="mono ellipsis">{keys.join(", ")}</div>
    </div>
  );
}

function Outcome({ found, left }: { found: FoundOut; left: number }) {
  const { t } = useTranslation("add-workers");
  const complete = found.missing.length + found.ambiguous.length + found.repeated.length + left === 0;
  return (
    <Alert
      type={complete ? "success" : "warning"}
      showIcon
      role="status"
      title={t("paste.found", { count: found.matches.length })}
      description={
        complete ? undefined : (
          <>
            <Left label={t("paste.missing", { count: found.missing.length })} keys={found.missing} />
            <Left label={t("paste.ambiguous", { count: found.ambiguous.length })} keys={found.ambiguous} />
            <Left label={t("paste.repeated", { count: found.repeated.length })} keys={found.repeated} />
            {left > 0 && t("paste.tooMany", { count: left })}
          </>
        )
      }
    />
  );
}

export function PasteBox({ draft, onChange }: { draft: Draft; onChange: (draft: Draft) => void }) {
  const { t } = useTranslation("add-workers");
  const [text, setText] = useState("");
  const [left, setLeft] = useState(0);
  const search = useMutation({
    mutationFn: () => find(pastedKeys(text)),
    onSuccess: (found) => {
      const added = withMachines(draft, found.matches.map((match) => match.machine));
      setLeft(added.left);
      onChange(added.draft);
    },
  });
  return (
    <Flex vertical gap={8}>
      <label htmlFor="paste">{t("paste.label")}</label>
      <Input.TextArea id="paste" rows={3} className="mono" value={text} onChange={(event) => setText(event.target.value)} />
      <Button loading={search.isPending} disabled={pastedKeys(text).length === 0} onClick={() => search.mutate()}>
        {t("paste.add")}
      </Button>
      {search.error && <ProblemAlert problem={asProblem(search.error)} />}
      {search.data && <Outcome found={search.data} left={left} />}
    </Flex>
  );
}
