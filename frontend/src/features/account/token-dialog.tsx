import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, DatePicker, Flex, Form, Input, Modal, Select } from "antd";
import dayjs, { type Dayjs } from "dayjs";
import { useTranslation } from "react-i18next";
import type { TokenIn } from "../../api/client";
import { asProblem } from "../../api/problem";
import { CopyButton } from "../../components/copy-button";
import { ProblemAlert } from "../../components/problem-alert";
import { showAtFields } from "../../lib/form-problem";
import { meQuery } from "../../lib/queries";
import { accountKeys, makeToken } from "./queries";

const DEFAULT_DAYS = 90;

type Values = { name: string; expires_at: Dayjs; scopes: string[] };

function MadeToken({ token, onClose }: { token: string; onClose: () => void }) {
  const { t } = useTranslation("account");
  return (
    <Flex vertical gap={12}>
      <Alert type="warning" showIcon title={t("tokens.once")} />
      <Flex gap={8} align="center">
        <code className="mono token-text" data-testid="token-text">
          {token}
        </code>
        <CopyButton text={token} label={t("tokens.copy")} />
      </Flex>
      <Flex justify="end">
        <Button type="primary" onClick={onClose}>
          {t("common:action.done")}
        </Button>
      </Flex>
    </Flex>
  );
}

export function TokenDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t, i18n } = useTranslation("account");
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [form] = Form.useForm<Values>();
  const make = useMutation({
    mutationFn: (values: Values) =>
      makeToken({
        name: values.name.trim(),
        expires_at: values.expires_at.toISOString(),
        scopes: values.scopes.length > 0 ? (values.scopes as NonNullable<TokenIn["scopes"]>) : null,
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: accountKeys.tokens }),
    onError: (error) => showAtFields(form, asProblem(error), i18n.language),
  });
  const close = () => {
    onClose();
    make.reset();
  };
  const scopes = Object.keys(me?.permissions ?? {}).map((name) => ({ value: name, label: name }));
  return (
    <Modal open={open} title={t("tokens.make")} footer={null} onCancel={close} destroyOnHidden mask={{ closable: false }}>
      {make.data ? (
        <MadeToken token={make.data.token} onClose={close} />
      ) : (
        <Form<Values>
          form={form}
          name="token"
          layout="vertical"
          initialValues={{ name: "", expires_at: dayjs().add(DEFAULT_DAYS, "day"), scopes: [] }}
          onFinish={(values) => make.mutate(values)}
        >
          {make.isError && <ProblemAlert problem={asProblem(make.error)} />}
          <Form.Item name="name" label={t("tokens.name")} rules={[{ required: true, message: t("tokens.nameMissing") }]}>
            <Input maxLength={64} autoComplete="off" />
          </Form.Item>
          <Form.Item
            name="expires_at"
            label={t("tokens.expires")}
            rules={[{ required: true, message: t("tokens.expiresMissing") }]}
          >
            <DatePicker showTime disabledDate={(day) => day.isBefore(dayjs(), "day")} style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item name="scopes" label={t("tokens.scopes")} extra={t("tokens.scopesHelp")}>
            <Select mode="multiple" options={scopes} placeholder={t("tokens.allScopes")} />
          </Form.Item>
          <Flex justify="end" gap={8}>
            <Button onClick={close}>{t("common:action.cancel")}</Button>
            <Button type="primary" htmlType="submit" loading={make.isPending}>
              {t("tokens.make")}
            </Button>
          </Flex>
        </Form>
      )}
    </Modal>
  );
}
