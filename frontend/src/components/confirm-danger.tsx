/** Asks before something that cannot be taken back: what it does, what it hits, and the name typed by hand.
 * Props: `open`; `title`; `name` to be typed; `effect` what will happen; `affected` names of what it hits; `okText`;
 * `needsReason` asks for one; `pending`; `problem` the server's refusal; `onConfirm(reason)`; `onCancel`. */
import { Alert, Form, Input, Modal } from "antd";
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../api/problem";
import { ProblemAlert } from "./problem-alert";

const SHOWN = 20;

type Values = { name: string; reason?: string };

function Affected({ names }: { names: readonly string[] }) {
  const { t } = useTranslation();
  const id = useId();
  if (names.length === 0) return null;
  return (
    <section aria-labelledby={id} className="danger-affected">
      <strong id={id}>{t("danger.affected", { count: names.length })}</strong>
      <ul tabIndex={0} aria-labelledby={id}>
        {names.slice(0, SHOWN).map((name) => (
          <li key={name} className="mono ellipsis">
            {name}
          </li>
        ))}
        {names.length > SHOWN && <li>{t("danger.more", { count: names.length - SHOWN })}</li>}
      </ul>
    </section>
  );
}

export function ConfirmDanger(props: {
  open: boolean;
  title: string;
  name: string;
  effect: ReactNode;
  affected?: readonly string[];
  okText: string;
  needsReason?: boolean;
  pending?: boolean;
  problem?: Problem | null;
  onConfirm: (reason: string) => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const [form] = Form.useForm<Values>();
  const typed = Form.useWatch("name", form);
  const exact = (_rule: unknown, value: string) =>
    value === props.name ? Promise.resolve() : Promise.reject(new Error(t("danger.mismatch")));
  return (
    <Modal
      open={props.open}
      title={props.title}
      okText={props.okText}
      cancelText={t("action.cancel")}
      okButtonProps={{ danger: true, disabled: typed !== props.name, loading: props.pending ?? false }}
      onOk={() => form.submit()}
      onCancel={props.onCancel}
      mask={{ closable: false }}
      destroyOnHidden
    >
      <Alert type="warning" showIcon title={props.effect} />
      <Affected names={props.affected ?? []} />
      {props.problem && <ProblemAlert problem={props.problem} />}
      <Form<Values>
        form={form}
        name="danger"
        layout="vertical"
        preserve={false}
        onFinish={(values) => props.onConfirm(values.reason?.trim() ?? "")}
      >
        {props.needsReason && (
          <Form.Item
            name="reason"
            label={t("danger.reason")}
            rules={[{ required: true, whitespace: true, message: t("danger.reasonMissing") }]}
          >
            <Input.TextArea rows={2} maxLength={2000} />
          </Form.Item>
        )}
        <Form.Item name="name" label={t("danger.type", { name: props.name })} rules={[{ validator: exact }]}>
          <Input autoComplete="off" spellCheck={false} />
        </Form.Item>
      </Form>
    </Modal>
  );
}
