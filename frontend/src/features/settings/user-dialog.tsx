/** A new account. Roles are given afterwards, because a role names a place. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button, Flex, Form, Input, Modal, Radio } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { showAtFields } from "../../lib/form-problem";
import { addUser, settingsKeys } from "./queries";

type Values = { name: string; display_name: string; email: string; locale: "zh" | "en"; password: string };
const SHORTEST_PASSWORD = 12;

export function UserDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t, i18n } = useTranslation("settings");
  const queryClient = useQueryClient();
  const [form] = Form.useForm<Values>();
  const make = useMutation({
    mutationFn: (values: Values) =>
      addUser({
        name: values.name,
        display_name: values.display_name,
        locale: values.locale,
        email: values.email || null,
        password: values.password || null,
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: settingsKeys.users });
      close();
    },
    onError: (error) => showAtFields(form, asProblem(error), i18n.language),
  });
  const close = () => {
    make.reset();
    onClose();
  };
  return (
    <Modal open={open} title={t("users.make")} footer={null} onCancel={close} destroyOnHidden mask={{ closable: false }}>
      <Form<Values>
        form={form}
        name="user"
        layout="vertical"
        initialValues={{ name: "", display_name: "", email: "", locale: "zh", password: "" }}
        onFinish={(values) => make.mutate(values)}
      >
        {make.isError && <ProblemAlert problem={asProblem(make.error)} />}
        <Form.Item
          name="name"
          label={t("users.name")}
          rules={[{ required: true, pattern: /^[a-z0-9][a-z0-9._@-]{0,63}$/, message: t("users.nameRule") }]}
        >
          <Input maxLength={64} autoComplete="off" />
        </Form.Item>
        <Form.Item
          name="display_name"
          label={t("users.displayName")}
          rules={[{ required: true, whitespace: true, message: t("users.displayNameMissing") }]}
        >
          <Input maxLength={128} autoComplete="off" />
        </Form.Item>
        <Form.Item name="email" label={t("users.email")} rules={[{ type: "email", message: t("users.emailRule") }]}>
          <Input maxLength={254} autoComplete="off" />
        </Form.Item>
        <Form.Item name="locale" label={t("users.language")}>
          <Radio.Group
            options={[
              { value: "zh", label: t("common:language.zh-CN") },
              { value: "en", label: t("common:language.en") },
            ]}
          />
        </Form.Item>
        <Form.Item
          name="password"
          label={t("users.password")}
          extra={t("users.passwordHelp")}
          rules={[{ min: SHORTEST_PASSWORD, message: t("users.passwordRule", { count: SHORTEST_PASSWORD }) }]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Flex justify="end" gap={8}>
          <Button onClick={close}>{t("common:action.cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={make.isPending}>
            {t("users.make")}
          </Button>
        </Flex>
      </Form>
    </Modal>
  );
}
