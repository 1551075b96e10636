import { PlusOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { App, Flex, Table } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { CredentialOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { CredentialDialog, type Editing } from "./credential-dialog";
import { shownParts } from "./credential-state";
import { credentialsQuery, removeCredential, settingsKeys } from "./queries";
import { SettingsFrame } from "./settings-frame";

function useRemove() {
  const { t } = useTranslation("settings");
  const { modal } = App.useApp();
  const queryClient = useQueryClient();
  const remove = useMutation({
    mutationFn: (credential: CredentialOut) => removeCredential(credential.id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: settingsKeys.credentials }),
  });
  const ask = (credential: CredentialOut) =>
    modal.confirm({
      title: t("credentials.removeTitle", { name: credential.name }),
      content: t("credentials.removeEffect"),
      okText: t("credentials.remove"),
      cancelText: t("common:action.cancel"),
      okButtonProps: { danger: true },
      onOk: () => remove.mutateAsync(credential).catch(() => undefined),
    });
  return { ask, error: remove.error };
}

export function CredentialsPage() {
  const { t } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  const credentials = useQuery(credentialsQuery);
  const [editing, setEditing] = useState<Editing | null>(null);
  const remove = useRemove();
  const reason = may(me, "credential:write") ? null : t("credentials.readOnly");
  const failed = credentials.error ?? remove.error;
  const columns = [
    {
      title: t("credentials.name"),
      dataIndex: "name",
      render: (name: string, credential: CredentialOut) => (
        <>
          <strong>{name}</strong>
          {credential.note && <div className="muted">{credential.note}</div>}
        </>
      ),
    },
    { title: t("credentials.kind"), dataIndex: "kind", render: (kind: string) => t(`credentials.kindName.${kind}`) },
    {
      title: t("credentials.shown"),
      key: "shown",
      render: (_: unknown, credential: CredentialOut) => (
        <span className="mono">{shownParts(credential).join(" · ") || "–"}</span>
      ),
    },
    { title: t("credentials.version"), dataIndex: "version" },
    { title: t("credentials.updated"), dataIndex: "updated_at", render: (at: string) => <TimeText at={at} /> },
    { title: t("credentials.used"), dataIndex: "used_at", render: (at: string | null) => <TimeText at={at} /> },
    {
      title: t("operations"),
      key: "operations",
      render: (_: unknown, credential: CredentialOut) => (
        <Flex gap={8}>
          <ReasonButton size="small" reason={reason} onClick={() => setEditing(credential)}>
            {t("credentials.renew")}
          </ReasonButton>
          <ReasonButton size="small" danger reason={reason} onClick={() => remove.ask(credential)}>
            {t("credentials.remove")}
          </ReasonButton>
        </Flex>
      ),
    },
  ];
  return (
    <SettingsFrame
      name="credentials"
      primary={{ label: t("credentials.make"), icon: <PlusOutlined />, reason, onClick: () => setEditing("new") }}
    >
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <Table<CredentialOut>
        rowKey="id"
        size="small"
        loading={credentials.isLoading}
        columns={columns}
        dataSource={credentials.data?.items ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <EmptyState title={t("credentials.none")} text={t("credentials.noneText")} /> }}
      />
      <CredentialDialog editing={editing} onClose={() => setEditing(null)} />
    </SettingsFrame>
  );
}
