/** Name and password, and single sign-on where the server offers it.
 * Props: `name` fixed in advance; `returnTo` path for single sign-on to come back to; `onSignedIn(me)`. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { Button, Divider, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { logIn, loginMethods, type Me } from "../api/client";
import { asProblem } from "../api/problem";
import { ProblemAlert } from "./problem-alert";

type Values = { name: string; password: string };

export function SignInForm(props: { name?: string; returnTo: string; onSignedIn: (me: Me) => void }) {
  const { t } = useTranslation();
  const methods = useQuery({ queryKey: ["login-methods"], queryFn: () => loginMethods(), staleTime: Infinity });
  const signIn = useMutation({
    mutationFn: (values: Values) => logIn({ body: values }),
    onSuccess: props.onSignedIn,
  });
  const sso = methods.data?.oidc;
  return (
    <>
      {signIn.isError && <ProblemAlert problem={asProblem(signIn.error)} />}
      <Form<Values>
        name="sign-in"
        layout="vertical"
        requiredMark={false}
        initialValues={{ name: props.name ?? "", password: "" }}
        onFinish={(values) => signIn.mutate({ name: values.name.trim(), password: values.password })}
        style={{ marginTop: signIn.isError ? 16 : 0 }}
      >
        <Form.Item name="name" label={t("signIn.name")} rules={[{ required: true, message: t("signIn.nameMissing") }]}>
          <Input autoComplete="username" autoFocus={!props.name} maxLength={64} />
        </Form.Item>
        <Form.Item
          name="password"
          label={t("signIn.password")}
          rules={[{ required: true, message: t("signIn.passwordMissing") }]}
        >
          <Input.Password autoComplete="current-password" autoFocus={Boolean(props.name)} />
        </Form.Item>
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t("signIn.submit")}
        </Button>
      </Form>
      {sso && (
        <>
          <Divider plain>{t("signIn.or")}</Divider>
          <Button block href={`/api/v1/session/oidc?return_to=${encodeURIComponent(props.returnTo)}`}>
            {sso}
          </Button>
        </>
      )}
    </>
  );
}
