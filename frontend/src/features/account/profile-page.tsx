import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { App, Button, Flex, Form, Input, Radio, Tag } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { PageHeader } from "../../components/page-header";
import { ProblemAlert } from "../../components/problem-alert";
import { showAtFields } from "../../lib/form-problem";
import { changeLanguage, fromServer } from "../../lib/i18n";
import { meKey, meQuery } from "../../lib/queries";
import { savePassword, saveProfile } from "./queries";

const SHORTEST_PASSWORD = 12;

type ProfileValues = { display_name: string; locale: "zh" | "en" };
type PasswordValues = { current: string; new: string; again: string };

function ProfileForm() {
  const { t, i18n } = useTranslation("account");
  const { message } = App.useApp();
  const queryClient = useQueryClient();
  const { data: me } = useSuspenseQuery(meQuery);
  const [form] = Form.useForm<ProfileValues>();
  const save = useMutation({
    mutationFn: saveProfile,
    onSuccess: async (changed) => {
      queryClient.setQueryData(meKey, changed);
      await changeLanguage(fromServer(changed.locale));
      void message.success(i18n.t("account:profile.saved"));
    },
    onError: (error) => showAtFields(form, asProblem(error), i18n.language),
  });
  return (
    <section className="card" aria-labelledby="profile-title">
      <h2 id="profile-title">{t("profile.about")}</h2>
      <Flex gap={8} wrap style={{ marginBottom: 16 }} align="center">
        <span className="mono">{me.name}</span>
        {[...new Set(me.bindings.map((binding) => binding.role))].map((role) => (
          <Tag key={role}>{t(`common:role.${role}`)}</Tag>
        ))}
      </Flex>
      {save.isError && <ProblemAlert problem={asProblem(save.error)} />}
      <Form<ProfileValues>
        form={form}
        name="profile"
        layout="vertical"
        initialValues={{ display_name: me.display_name, locale: me.locale }}
        onFinish={(values) => save.mutate(values)}
      >
        <Form.Item
          name="display_name"
          label={t("profile.displayName")}
          rules={[{ required: true, whitespace: true, message: t("profile.displayNameMissing") }]}
        >
          <Input maxLength={128} autoComplete="name" />
        </Form.Item>
        <Form.Item name="locale" label={t("profile.language")}>
          <Radio.Group
            options={[
              { value: "zh", label: t("common:language.zh-CN") },
              { value: "en", label: t("common:language.en") },
            ]}
          />
        </Form.Item>
        <Button htmlType="submit" type="primary" loading={save.isPending}>
          {t("common:action.save")}
        </Button>
      </Form>
    </section>
  );
}

function PasswordForm() {
  const { t, i18n } = useTranslation("account");
  const { message } = App.useApp();
  const [form] = Form.useForm<PasswordValues>();
  const save = useMutation({
    mutationFn: savePassword,
    onSuccess: () => {
      form.resetFields();
      void message.success(t("password.saved"));
    },
    onError: (error) => showAtFields(form, asProblem(error), i18n.language),
  });
  return (
    <section className="card" aria-labelledby="password-title">
      <h2 id="password-title">{t("password.title")}</h2>
      <p className="muted">{t("password.effect")}</p>
      {save.isError && <ProblemAlert problem={asProblem(save.error)} />}
      <Form<PasswordValues>
        form={form}
        name="change-password"
        layout="vertical"
        onFinish={(values) => save.mutate({ current: values.current, new: values.new })}
      >
        <Form.Item
          name="current"
          label={t("password.current")}
          rules={[{ required: true, message: t("password.currentMissing") }]}
        >
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <Form.Item
          name="new"
          label={t("password.new")}
          rules={[
            { required: true, min: SHORTEST_PASSWORD, message: t("password.tooShort", { count: SHORTEST_PASSWORD }) },
          ]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Form.Item
          name="again"
          label={t("password.again")}
          dependencies={["new"]}
          rules={[
            ({ getFieldValue }) => ({
              validator: (_rule, value) =>
                value === getFieldValue("new") ? Promise.resolve() : Promise.reject(new Error(t("password.differs"))),
            }),
          ]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Button htmlType="submit" loading={save.isPending}>
          {t("password.submit")}
        </Button>
      </Form>
    </section>
  );
}

export function ProfilePage() {
  const { t } = useTranslation("account");
  const { data: me } = useSuspenseQuery(meQuery);
  return (
    <Flex vertical gap={16} className="page page-narrow">
      <PageHeader title={t("profile.title")} secondary={<Link to="/profile/tokens">{t("tokens.title")}</Link>} />
      <ProfileForm />
      {me.method === "password" && <PasswordForm />}
    </Flex>
  );
}
