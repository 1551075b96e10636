/** Asks before a repair: what it will do, in the api's words, and why it is wanted.
 * Props: `item` what is stuck; `onClose`. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Form, Input, Modal } from "antd";
import { useTranslation } from "react-i18next";
import type { StuckOut } from "../../../api/client";
import { asProblem, pick } from "../../../api/problem";
import { ProblemAlert } from "../../../components/problem-alert";
import { sendRepair } from "./queries";

export function RepairDialog({ item, onClose }: { item: StuckOut; onClose: () => void }) {
  const { t, i18n } = useTranslation("stuck");
  const queryClient = useQueryClient();
  const [form] = Form.useForm<{ reason: string }>();
  const act = useMutation({
    mutationFn: (reason: string) => sendRepair(item.id, reason),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["engine"] }),
  });
  if (!item.repair) return null;
  return (
    <Modal
      open
      title={pick(item.repair.label, i18n.language)}
      okText={pick(item.repair.label, i18n.language)}
      cancelText={t("common:action.cancel")}
      okButtonProps={{ loading: act.isPending }}
      onOk={() => form.submit()}
      onCancel={onClose}
      destroyOnHidden
    >
      <p>
        <bdi>{pick(item.title, i18n.language)}</bdi>
      </p>
      <p>{pick(item.repair.effect, i18n.language)}</p>
      <Form form={form} name="repair" layout="vertical" onFinish={({ reason }) => act.mutate(reason.trim())}>
        <Form.Item name="reason" label={t("reason")} rules={[{ required: true, whitespace: true, message: t("reasonMissing") }]}>
          <Input.TextArea autoFocus rows={2} maxLength={1000} />
        </Form.Item>
      </Form>
      {act.isError && <ProblemAlert problem={asProblem(act.error)} />}
    </Modal>
  );
}
