import { PlusOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App, Button, Flex, Table, Tag } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { TokenOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { accountKeys, revokeToken, tokensQuery } from "./queries";
import { TokenDialog } from "./token-dialog";

function useRevoke() {
  const { t } = useTranslation("account");
  const { modal, message } = App.useApp();
  const queryClient = useQueryClient();
  const revoke = useMutation({
    mutationFn: (token: TokenOut) => revokeToken(token.id),
    onSuccess: () => void message.success(t("tokens.revoked")),
    onSettled: () => queryClient.invalidateQueries({ queryKey: accountKeys.tokens }),
  });
  const ask = (token: TokenOut) =>
    modal.confirm({
      title: t("tokens.revokeTitle", { name: token.name }),
      content: t("tokens.revokeEffect"),
      okText: t("tokens.revoke"),
      cancelText: t("common:action.cancel"),
      okButtonProps: { danger: true },
      onOk: () => revoke.mutateAsync(token).catch(() => undefined),
    });
  return { ask, error: revoke.error };
}

export function TokensPage() {
  const { t } = useTranslation("account");
  const [making, setMaking] = useState(false);
  const tokens = useQuery(tokensQuery);
  const revoke = useRevoke();
  const failed = tokens.error ?? revoke.error;
  const columns = [
    { title: t("tokens.name"), dataIndex: "name", render: (name: string) => <strong>{name}</strong> },
    {
      title: t("tokens.scopes"),
      dataIndex: "scopes",
      render: (scopes: TokenOut["scopes"]) =>
        scopes === null ? t("tokens.allScopes") : scopes.map((scope) => <Tag key={scope}>{scope}</Tag>),
    },
    { title: t("tokens.created"), dataIndex: "created_at", render: (at: string) => <TimeText at={at} /> },
    { title: t("tokens.lastUsed"), dataIndex: "last_used_at", render: (at: string | null) => <TimeText at={at} /> },
    { title: t("tokens.expires"), dataIndex: "expires_at", render: (at: string) => <TimeText at={at} /> },
    {
      title: t("tokens.operations"),
      key: "operations",
      render: (_: unknown, token: TokenOut) => (
        <Button size="small" danger onClick={() => revoke.ask(token)} aria-label={t("tokens.revokeTitle", token)}>
          {t("tokens.revoke")}
        </Button>
      ),
    },
  ];
  return (
    <Flex vertical gap={16} className="page">
      <PageHeader
        title={t("tokens.title")}
        sub={t("tokens.about")}
        primary={{ label: t("tokens.make"), icon: <PlusOutlined aria-hidden />, onClick: () => setMaking(true) }}
      />
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <Table<TokenOut>
        rowKey="id"
        size="middle"
        loading={tokens.isLoading}
        columns={columns}
        dataSource={tokens.data?.items ?? []}
        pagination={false}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <EmptyState title={t("tokens.none")} text={t("tokens.noneText")} /> }}
      />
      <TokenDialog open={making} onClose={() => setMaking(false)} />
    </Flex>
  );
}
