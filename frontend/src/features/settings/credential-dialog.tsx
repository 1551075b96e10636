/** A new credential, or a new secret for one that exists. What is typed here is sent once and never shown again. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Flex, Form, Input, Modal, Select } from "antd";
import { useTranslation } from "react-i18next";
import type { CredentialOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { showAtFields } from "../../lib/form-problem";
import { type Field, FIELDS, type FieldName, type Kind, KINDS, secretOf } from "./credential-state";
import { addCredential, renewSecret, settingsKeys } from "./queries";

type Values = { name: string; note: string; kind: Kind } & Partial<Record<FieldName, string>>;
/** `new` makes one; a credential gets a new secret of its kind. */
export type Editing = "new" | CredentialOut;

const AT_FIELDS = Object.fromEntries(
  KINDS.flatMap((kind) => FIELDS[kind].map((field) => [`secret.${field.name}`, field.name])),
);

function SecretField({ field }: { field: Field }) {
  const { t } = useTranslation("settings");
  const label = t(`credentials.field.${field.name}`);
  const control = field.long ? (
    <Input.TextArea rows={6} autoComplete="off" spellCheck={false} className="mono" />
  ) : field.secret ? (
    <Input.Password autoComplete="new-password" />
  ) : (
    <Input autoComplete="off" />
  );
  return (
    <Form.Item
      name={field.name}
      label={label}
      rules={[{ required: field.required, message: t("credentials.missing", { name: label }) }]}
    >
      {control}
    </Form.Item>
  );
}

function Fields({ fixed }: { fixed: Kind | null }) {
  const { t } = useTranslation("settings");
  const kind = Form.useWatch<Kind | undefined>("kind") ?? fixed ?? KINDS[0]!;
  return (
    <>
      {fixed === null && (
        <>
          <Form.Item
            name="name"
            label={t("credentials.name")}
            rules={[{ required: true, whitespace: true, message: t("credentials.nameMissing") }]}
          >
            <Input maxLength={64} autoComplete="off" />
          </Form.Item>
          <Form.Item name="note" label={t("credentials.note")}>
            <Input maxLength={1000} autoComplete="off" />
          </Form.Item>
          <Form.Item name="kind" label={t("credentials.kind")}>
            <Select options={KINDS.map((one) => ({ value: one, label: t(`credentials.kindName.${one}`) }))} />
          </Form.Item>
        </>
      )}
      {FIELDS[kind].map((field) => (
        <SecretField key={field.name} field={field} />
      ))}
    </>
  );
}

export function CredentialDialog({ editing, onClose }: { editing: Editing | null; onClose: () => void }) {
  const { t, i18n } = useTranslation("settings");
  const queryClient = useQueryClient();
  const [form] = Form.useForm<Values>();
  const old = editing === "new" ? null : editing;
  const save = useMutation({
    mutationFn: (values: Values) =>
      old === null
        ? addCredential({ name: values.name, note: values.note, secret: secretOf(values.kind, values) })
        : renewSecret(old.id, { version: old.version, secret: secretOf(old.kind, values) }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: settingsKeys.credentials });
      close();
    },
    onError: (error) => showAtFields(form, asProblem(error), i18n.language, AT_FIELDS),
    gcTime: 0, // what was typed does not outlive the dialog
  });
  const close = () => {
    save.reset();
    onClose();
  };
  const title = old === null ? t("credentials.make") : t("credentials.renewTitle", { name: old.name });
  return (
    <Modal open={editing !== null} title={title} footer={null} onCancel={close} destroyOnHidden mask={{ closable: false }}>
      <Form<Values>
        form={form}
        name="credential"
        layout="vertical"
        preserve={false}
        initialValues={{ name: "", note: "", kind: old?.kind ?? KINDS[0] }}
        onFinish={(values) => save.mutate(values)}
      >
        <Flex vertical gap={12} style={{ marginBottom: 12 }}>
          <Alert type="info" showIcon title={t("credentials.writeOnly")} />
          {save.isError && <ProblemAlert problem={asProblem(save.error)} />}
        </Flex>
        <Fields fixed={old?.kind ?? null} />
        <Flex justify="end" gap={8}>
          <Button onClick={close}>{t("common:action.cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={save.isPending}>
            {t("common:action.save")}
          </Button>
        </Flex>
      </Form>
    </Modal>
  );
}
