/** The roles of one person: what is held, where, and giving another. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Flex, Form, Modal, Select, Table } from "antd";
import { useTranslation } from "react-i18next";
import type { BindingIn, BindingOut, UserOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { giveRole, policiesQuery, rolesQuery, settingsKeys, takeRole } from "./queries";
import { hasRole, sortedBindings } from "./user-state";

const EVERYWHERE = "";
type Values = { role: BindingIn["role"]; cluster: string };

function useBindings(user: UserOut | null) {
  const queryClient = useQueryClient();
  const onSuccess = () => queryClient.invalidateQueries({ queryKey: settingsKeys.users });
  const give = useMutation({
    mutationFn: (values: Values) =>
      giveRole(user!.id, { role: values.role, cluster_id: values.cluster === EVERYWHERE ? null : values.cluster }),
    onSuccess,
  });
  const take = useMutation({ mutationFn: (binding: BindingOut) => takeRole(user!.id, binding.id), onSuccess });
  return { give, take };
}

function Held({ user, names, onTake }: { user: UserOut; names: Record<string, string>; onTake: (one: BindingOut) => void }) {
  const { t } = useTranslation("settings");
  const place = (id: string | null) => (id === null ? t("users.everywhere") : (names[id] ?? id.slice(0, 8)));
  return (
    <Table<BindingOut>
      rowKey="id"
      size="small"
      pagination={false}
      dataSource={sortedBindings(user)}
      locale={{ emptyText: t("users.noRole") }}
      columns={[
        { title: t("users.role"), dataIndex: "role", render: (role: string) => t(`common:role.${role}`) },
        { title: t("users.where"), dataIndex: "cluster_id", render: place },
        {
          title: t("operations"),
          key: "take",
          render: (_, binding) => (
            <Button
              size="small"
              danger
              onClick={() => onTake(binding)}
              aria-label={t("users.takeLabel", {
                role: t(`common:role.${binding.role}`),
                place: place(binding.cluster_id),
              })}
            >
              {t("users.take")}
            </Button>
          ),
        },
      ]}
    />
  );
}

export function RolesDialog({ user, onClose }: { user: UserOut | null; onClose: () => void }) {
  const { t } = useTranslation("settings");
  const { data: roles } = useQuery(rolesQuery);
  const { data: clusters } = useQuery(policiesQuery);
  const [form] = Form.useForm<Values>();
  const wanted = Form.useWatch([], form) as Values | undefined;
  const { give, take } = useBindings(user);
  const error = give.error ?? take.error;
  const names = Object.fromEntries((clusters?.items ?? []).map((cluster) => [cluster.id, cluster.name]));
  const place = wanted?.cluster === EVERYWHERE ? null : (wanted?.cluster ?? null);
  const held = user !== null && wanted?.role !== undefined && hasRole(user, wanted.role, place);
  const close = () => {
    give.reset();
    take.reset();
    onClose();
  };
  return (
    <Modal
      open={user !== null}
      title={t("users.rolesOf", { name: user?.display_name ?? "" })}
      footer={<Button onClick={close}>{t("common:action.done")}</Button>}
      onCancel={close}
      destroyOnHidden
      width={640}
    >
      <Flex vertical gap={16}>
        {error && <ProblemAlert problem={asProblem(error)} />}
        {user && <Held user={user} names={names} onTake={(binding) => take.mutate(binding)} />}
        <Form<Values>
          form={form}
          name="role"
          layout="inline"
          initialValues={{ cluster: EVERYWHERE }}
          onFinish={(values) => give.mutate(values)}
        >
          <Form.Item name="role" label={t("users.role")} rules={[{ required: true, message: t("users.roleMissing") }]}>
            <Select
              style={{ width: 150 }}
              options={(roles ?? []).map((role) => ({ value: role.name, label: t(`common:role.${role.name}`) }))}
            />
          </Form.Item>
          <Form.Item name="cluster" label={t("users.where")}>
            <Select
              style={{ width: 190 }}
              showSearch={{ optionFilterProp: "label" }}
              options={[
                { value: EVERYWHERE, label: t("users.everywhere") },
                ...(clusters?.items ?? []).map((cluster) => ({ value: cluster.id, label: cluster.name })),
              ]}
            />
          </Form.Item>
          <Button htmlType="submit" type="primary" loading={give.isPending} disabled={held}>
            {t("users.give")}
          </Button>
          {held && <span className="muted">{t("users.held")}</span>}
        </Form>
      </Flex>
    </Modal>
  );
}
