/** One CMDB source: how it is asked, how its rows become machines, and a try of both before anything is stored. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Drawer, Flex, Form, Input, InputNumber, Select, Switch } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { SourceDetail } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { configOf, emptyForm, formOf, type SourceForm } from "./cmdb-state";
import { MappingFields } from "./mapping-fields";
import { MappingPreview } from "./mapping-preview";
import { addSource, changeSource, credentialsQuery, settingsKeys, sourceQuery, tryConfig } from "./queries";

function Basics({ fresh }: { fresh: boolean }) {
  const { t } = useTranslation("settings");
  const { data: credentials } = useQuery(credentialsQuery);
  const options = (kinds: string[]) =>
    (credentials?.items ?? []).filter((one) => kinds.includes(one.kind)).map((one) => ({ value: one.id, label: one.name }));
  return (
    <>
      <Form.Item
        name="name"
        label={t("cmdb.name")}
        rules={[{ required: true, pattern: /^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/, message: t("cmdb.nameRule") }]}
      >
        <Input disabled={!fresh} autoComplete="off" />
      </Form.Item>
      <Form.Item name="source" label={t("cmdb.source")} extra={t("cmdb.sourceHelp")}>
        <Input.TextArea rows={9} className="mono" spellCheck={false} />
      </Form.Item>
      <Form.Item name="credential_id" label={t("cmdb.credential")}>
        <Select allowClear options={options(["token", "password"])} />
      </Form.Item>
      <Flex gap={16} wrap>
        <Form.Item name="machine_credential_id" label={t("cmdb.machineCredential")}>
          <Select allowClear style={{ width: 220 }} options={options(["ssh_key", "ssh_password"])} />
        </Form.Item>
        <Form.Item name="machine_ssh_user" label={t("cmdb.machineUser")}>
          <Input style={{ width: 140 }} autoComplete="off" />
        </Form.Item>
        <Form.Item name="interval_seconds" label={t("cmdb.intervalSeconds")} extra={t("cmdb.intervalHelp")}>
          <InputNumber min={0} max={604_800} step={60} />
        </Form.Item>
        <Form.Item name="max_vanished_percent" label={t("cmdb.maxVanished")} extra={t("cmdb.maxVanishedHelp")}>
          <InputNumber min={0} max={100} />
        </Form.Item>
        <Form.Item name="enabled" label={t("cmdb.enabled")} valuePropName="checked">
          <Switch />
        </Form.Item>
      </Flex>
    </>
  );
}

function useSave(source: SourceDetail | null, onDone: () => void) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (form: SourceForm) => {
      const config = configOf(form, source?.config)!;
      const { name, source: _text, rules: _rules, ...fields } = form;
      return source === null
        ? addSource({ name, config, ...fields })
        : changeSource(source.id, { version: source.version, config, ...fields });
    },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: settingsKeys.sources });
      onDone();
    },
  });
}

function SourceEditor({ source, onDone }: { source: SourceDetail | null; onDone: () => void }) {
  const { t } = useTranslation("settings");
  const [form] = Form.useForm<SourceForm>();
  const [broken, setBroken] = useState(false);
  const save = useSave(source, onDone);
  const attempt = useMutation({ mutationFn: tryConfig });
  const withConfig = (then: (values: SourceForm) => void) => () =>
    form.validateFields().then(
      (values) => {
        const readable = configOf(values, source?.config) !== null;
        setBroken(!readable);
        if (readable) then(values);
      },
      () => undefined, // the fields say what is missing
    );
  const failed = save.error ?? attempt.error;
  return (
    <Form<SourceForm> form={form} name="source" layout="vertical" initialValues={source ? formOf(source) : emptyForm()}>
      <Basics fresh={source === null} />
      <MappingFields />
      <Flex vertical gap={12}>
        {broken && <Alert type="error" showIcon role="alert" title={t("cmdb.notJson")} />}
        {failed && <ProblemAlert problem={asProblem(failed)} />}
        <Flex gap={8}>
          <Button
            loading={attempt.isPending}
            onClick={withConfig((values) =>
              attempt.mutate({ config: configOf(values, source?.config)!, credential_id: values.credential_id }),
            )}
          >
            {t("cmdb.try")}
          </Button>
          <Button type="primary" loading={save.isPending} onClick={withConfig((values) => save.mutate(values))}>
            {t("common:action.save")}
          </Button>
        </Flex>
        {attempt.data && <MappingPreview preview={attempt.data} />}
      </Flex>
    </Form>
  );
}

export function SourceDrawer({ editing, onClose }: { editing: string | null; onClose: () => void }) {
  const { t } = useTranslation("settings");
  const known = editing !== null && editing !== "new";
  const source = useQuery({ ...sourceQuery(editing ?? ""), enabled: known });
  return (
    <Drawer
      open={editing !== null}
      title={known ? t("cmdb.configure") : t("cmdb.make")}
      size={820}
      onClose={onClose}
      destroyOnHidden
      loading={known && source.isLoading}
    >
      {source.error && known && <ProblemAlert problem={asProblem(source.error)} />}
      {editing === "new" && <SourceEditor source={null} onDone={onClose} />}
      {known && source.data && <SourceEditor key={source.data.version} source={source.data} onDone={onClose} />}
    </Drawer>
  );
}
