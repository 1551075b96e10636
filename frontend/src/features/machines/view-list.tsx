/** Saved views: what the address holds, under a name, for oneself or for everybody. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { DeleteOutlined, SaveOutlined } from "@ant-design/icons";
import { Button, Checkbox, Flex, Input } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ViewOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { meQuery } from "../../lib/queries";
import { changeView, dropView, keepView, viewsQuery } from "./queries";
import { type MachineSearch, readMachineSearch } from "./search";

export type ViewProps = { search: MachineSearch; onOpen: (view: MachineSearch) => void };

function useViews(search: MachineSearch) {
  const queryClient = useQueryClient();
  const onSuccess = () => queryClient.invalidateQueries({ queryKey: viewsQuery.queryKey });
  const { machine: _machine, tab: _tab, ...state } = search;
  const keep = useMutation({ mutationFn: (one: { name: string; shared: boolean }) => keepView(one.name, one.shared, state), onSuccess });
  const change = useMutation({ mutationFn: (view: ViewOut) => changeView(view.id, state), onSuccess });
  const drop = useMutation({ mutationFn: (view: ViewOut) => dropView(view.id), onSuccess });
  return { keep, change, drop, error: keep.error ?? change.error ?? drop.error };
}

function ViewLine(props: { view: ViewOut; own: boolean; onOpen: () => void; onChange: () => void; onDrop: () => void }) {
  const { t } = useTranslation("machines");
  const { view } = props;
  return (
    <Flex gap={4} align="center">
      <Button type="text" block className="view-name" onClick={props.onOpen}>
        <span className="ellipsis">{view.name}</span>
        {view.shared && <span className="muted">{props.own ? t("view.shared") : view.owner_name}</span>}
      </Button>
      {props.own && (
        <>
          <Button type="text" size="small" icon={<SaveOutlined />} onClick={props.onChange} aria-label={t("view.overwrite", { name: view.name })} />
          <Button type="text" size="small" icon={<DeleteOutlined />} onClick={props.onDrop} aria-label={t("view.drop", { name: view.name })} />
        </>
      )}
    </Flex>
  );
}

export default function ViewList({ search, onOpen }: ViewProps) {
  const { t } = useTranslation("machines");
  const { data: me } = useQuery(meQuery);
  const views = useQuery(viewsQuery);
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const { keep, change, drop, error } = useViews(search);
  return (
    <Flex vertical gap={8} style={{ width: 300 }}>
      {error && <ProblemAlert problem={asProblem(error)} />}
      {views.data?.length === 0 && <span className="muted">{t("view.none")}</span>}
      {views.data?.map((view) => (
        <ViewLine
          key={view.id}
          view={view}
          own={view.owner_id === me?.id}
          onOpen={() => onOpen(readMachineSearch(view.state))}
          onChange={() => change.mutate(view)}
          onDrop={() => drop.mutate(view)}
        />
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          keep.mutate({ name: name.trim(), shared }, { onSuccess: () => setName("") });
        }}
      >
        <Flex vertical gap={6}>
          <Input value={name} maxLength={64} placeholder={t("view.name")} aria-label={t("view.name")} onChange={(event) => setName(event.target.value)} />
          <Checkbox checked={shared} onChange={(event) => setShared(event.target.checked)}>
            {t("view.share")}
          </Checkbox>
          <Button htmlType="submit" disabled={name.trim() === ""} loading={keep.isPending}>
            {t("view.keep")}
          </Button>
        </Flex>
      </form>
    </Flex>
  );
}
