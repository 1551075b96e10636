/** Import a running cluster by its three files. Secrets in them go to the server once and are sealed there. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button, Flex, Form, Input, Modal, Switch } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { showAtFields } from "../../lib/form-problem";
import { bringIn } from "./queries";

const FILES = ["cluster_yml", "rkestate", "kubeconfig"] as const;
type Values = Record<(typeof FILES)[number], string> & { name: string; description: string; flat_network: boolean };

/** A file picker whose value is the file's text. `value` and `onChange` come from the form. */
function FileText({ id, onChange }: { id?: string; value?: string; onChange?: (text: string) => void }) {
  return (
    <input
      {...(id ? { id } : {})}
      type="file"
      onChange={(event) => {
        const file = event.target.files?.[0];
        if (file) void file.text().then((text) => onChange?.(text));
        else onChange?.("");
      }}
    />
  );
}

export default function ImportDialog({ onClose }: { onClose: () => void }) {
  const { t, i18n } = useTranslation("clusters");
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [form] = Form.useForm<Values>();
  const save = useMutation({
    mutationFn: bringIn,
    onSuccess: async (cluster) => {
      await queryClient.invalidateQueries({ queryKey: ["clusters"] });
      await navigate({ to: "/clusters/$cluster" as string, params: { cluster: cluster.id } as never });
    },
    onError: (error) => showAtFields(form, asProblem(error), i18n.language),
    gcTime: 0, // the files' secrets do not outlive the dialog
  });
  return (
    <Modal open title={t("import.title")} footer={null} onCancel={onClose} destroyOnHidden mask={{ closable: false }}>
      <Form<Values>
        form={form}
        name="cluster"
        layout="vertical"
        initialValues={{ name: "", description: "", flat_network: false }}
        onFinish={(values) => save.mutate({ ...values, gate_policy: {} })}
      >
        <p className="muted">{t("import.about")}</p>
        {save.isError && <ProblemAlert problem={asProblem(save.error)} />}
        <Form.Item
          name="name"
          label={t("name")}
          rules={[{ required: true, pattern: /^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/, message: t("import.nameRule") }]}
        >
          <Input maxLength={50} autoComplete="off" />
        </Form.Item>
        <Form.Item name="description" label={t("description")}>
          <Input maxLength={1000} autoComplete="off" />
        </Form.Item>
        {FILES.map((name) => (
          <Form.Item key={name} name={name} label={t(`import.${name}`)} rules={[{ required: true, message: t("import.fileMissing") }]}>
            <FileText />
          </Form.Item>
        ))}
        <Form.Item name="flat_network" label={t("import.flat")} valuePropName="checked">
          <Switch />
        </Form.Item>
        <Flex justify="end" gap={8}>
          <Button onClick={onClose}>{t("common:action.cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={save.isPending}>
            {t("import.submit")}
          </Button>
        </Flex>
      </Form>
    </Modal>
  );
}
