import { PlusOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { App, Flex, Input, Table, Tag } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { UserOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { EmptyState } from "../../components/empty-state";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { TimeText } from "../../components/time-text";
import { may, meQuery } from "../../lib/queries";
import { changeUser, policiesQuery, settingsKeys, usersQuery } from "./queries";
import { RolesDialog } from "./roles-dialog";
import { SettingsFrame } from "./settings-frame";
import { UserDialog } from "./user-dialog";
import { sortedBindings, whyNotAway } from "./user-state";

function useSwitchAccount() {
  const { t } = useTranslation("settings");
  const { modal } = App.useApp();
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: (user: UserOut) => changeUser(user.id, { disabled: !user.disabled }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: settingsKeys.users }),
  });
  const ask = (user: UserOut) =>
    user.disabled
      ? save.mutate(user)
      : modal.confirm({
          title: t("users.disableTitle", { name: user.display_name }),
          content: t("users.disableEffect"),
          okText: t("users.disable"),
          cancelText: t("common:action.cancel"),
          okButtonProps: { danger: true },
          onOk: () => save.mutateAsync(user).catch(() => undefined),
        });
  return { ask, error: save.error };
}

function Roles({ user }: { user: UserOut }) {
  const { t } = useTranslation("settings");
  const { data: clusters } = useQuery(policiesQuery);
  const names = Object.fromEntries((clusters?.items ?? []).map((cluster) => [cluster.id, cluster.name]));
  if (user.bindings.length === 0) return <span className="muted">{t("users.noRole")}</span>;
  return (
    <Flex gap={4} wrap>
      {sortedBindings(user).map((binding) => (
        <Tag key={binding.id}>
          {t(`common:role.${binding.role}`)}
          {binding.cluster_id !== null && ` · ${names[binding.cluster_id] ?? binding.cluster_id.slice(0, 8)}`}
        </Tag>
      ))}
    </Flex>
  );
}

function Operations(props: { user: UserOut; reason: string | null; onRoles: () => void; onSwitch: () => void }) {
  const { t } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  const own = whyNotAway(props.user, me.id) === "self" ? t("users.notSelf") : null;
  return (
    <Flex gap={8}>
      <ReasonButton size="small" reason={props.reason} onClick={props.onRoles}>
        {t("users.roles")}
      </ReasonButton>
      <ReasonButton size="small" danger={!props.user.disabled} reason={props.reason ?? own} onClick={props.onSwitch}>
        {props.user.disabled ? t("users.enable") : t("users.disable")}
      </ReasonButton>
    </Flex>
  );
}

export function UsersPage() {
  const { t } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  const users = useQuery(usersQuery);
  const [wanted, setWanted] = useState("");
  const [making, setMaking] = useState(false);
  const [editing, setEditing] = useState<string | null>(null);
  const account = useSwitchAccount();
  const reason = may(me, "user:write") ? null : t("users.readOnly");
  const text = wanted.trim().toLowerCase();
  const shown = (users.data?.items ?? []).filter((user) =>
    `${user.name} ${user.display_name} ${user.email ?? ""}`.toLowerCase().includes(text),
  );
  const failed = users.error ?? account.error;
  const columns = [
    {
      title: t("users.person"),
      key: "person",
      render: (_: unknown, user: UserOut) => (
        <>
          <div>
            <strong>{user.display_name}</strong> {user.disabled && <Tag color="red">{t("users.disabled")}</Tag>}
          </div>
          <span className="mono muted">{user.name}</span>
        </>
      ),
    },
    { title: t("users.email"), dataIndex: "email", render: (email: string | null) => email ?? "–" },
    { title: t("users.roles"), key: "roles", render: (_: unknown, user: UserOut) => <Roles user={user} /> },
    { title: t("users.created"), dataIndex: "created_at", render: (at: string) => <TimeText at={at} /> },
    {
      title: t("operations"),
      key: "operations",
      render: (_: unknown, user: UserOut) => (
        <Operations
          user={user}
          reason={reason}
          onRoles={() => setEditing(user.id)}
          onSwitch={() => account.ask(user)}
        />
      ),
    },
  ];
  return (
    <SettingsFrame
      name="users"
      primary={{ label: t("users.make"), icon: <PlusOutlined />, reason, onClick: () => setMaking(true) }}
    >
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <Input.Search
        allowClear
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
        placeholder={t("users.find")}
        aria-label={t("users.find")}
        style={{ maxWidth: 320 }}
      />
      <Table<UserOut>
        rowKey="id"
        size="small"
        loading={users.isLoading}
        columns={columns}
        dataSource={shown}
        pagination={shown.length > 50 ? { pageSize: 50, showSizeChanger: false } : false}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <EmptyState title={t("users.none")} /> }}
      />
      <UserDialog open={making} onClose={() => setMaking(false)} />
      <RolesDialog
        user={users.data?.items.find((user) => user.id === editing) ?? null}
        onClose={() => setEditing(null)}
      />
    </SettingsFrame>
  );
}
