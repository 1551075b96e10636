import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { Link } from "@tanstack/react-router";
import { getEngine, type SafeModeOut } from "../../api/client";
import { asProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { TimeText } from "../../components/time-text";
import { UserName } from "../../components/user-name";
import { settingsKeys, turnSwitch } from "./queries";
import { SettingsFrame } from "./settings-frame";

/** Why nothing starts after a failover of the database, and what an admin has to look at before letting it go on. */
function SafeMode({ found }: { found: SafeModeOut }) {
  const { t } = useTranslation("settings");
  return (
    <section className="card" aria-labelledby="safe-mode">
      <h2 id="safe-mode">{t("safeMode.title")}</h2>
      <p>{t("safeMode.about")}</p>
      {found.waits_for.length > 0 && <p>{t("safeMode.waits", { hosts: found.waits_for.join(", ") })}</p>}
      {found.lost.length > 0 && (
        <ul>
          {found.lost.map((entry, index) => (
            <li key={`${entry.host} ${index}`}>
              {entry.what === "rebooted"
                ? t("safeMode.rebooted", { host: entry.host })
                : t("safeMode.forgotten", { host: entry.host, step: entry.step ?? "?" })}{" "}
              {entry.ticket !== null && (
                <Link to={"/tickets/$ticket" as string} params={{ ticket: String(entry.ticket) } as never}>
                  #{entry.ticket}
                </Link>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function EnginePage() {
  const { t } = useTranslation("settings");
  const queryClient = useQueryClient();
  const engine = useQuery({
    queryKey: [...settingsKeys.engine, "switch"],
    queryFn: ({ signal }) => getEngine({ signal }),
  });
  const [form] = Form.useForm<{ reason: string }>();
  const halted = engine.data?.halted ?? false;
  const turn = useMutation({
    mutationFn: (reason: string) => turnSwitch({ halted: !halted, reason }),
    onSuccess: () => form.resetFields(),
    onSettled: () => queryClient.invalidateQueries({ queryKey: settingsKeys.engine }),
  });
  const failed = engine.error ?? turn.error;
  return (
    <SettingsFrame name="engine">
      {failed && <ProblemAlert problem={asProblem(failed)} />}
      <Alert
        role="status"
        type={halted ? "error" : "success"}
        showIcon
        title={halted ? t("engine.isHalted") : t("engine.runs")}
        description={
          engine.data?.at && (
            <>
              {t("engine.since")} <TimeText at={engine.data.at} /> · <UserName id={engine.data.by} /> ·{" "}
              {engine.data.reason}
            </>
          )
        }
      />
      {engine.data?.safe_mode && <SafeMode found={engine.data.safe_mode} />}
      <section className="card" aria-labelledby="engine-turn">
        <h2 id="engine-turn">{halted ? t("engine.release") : t("engine.halt")}</h2>
        <p>{halted ? t("engine.releaseEffect") : t("engine.haltEffect")}</p>
        <Form form={form} name="engine" layout="vertical" onFinish={({ reason }) => turn.mutate(reason)}>
          <Form.Item
            name="reason"
            label={t("engine.reason")}
            rules={[{ required: true, whitespace: true, message: t("engine.reasonMissing") }]}
          >
            <Input maxLength={1000} autoComplete="off" />
          </Form.Item>
          <Button htmlType="submit" type="primary" danger={!halted} loading={turn.isPending} disabled={!engine.data}>
            {halted ? t("engine.release") : t("engine.halt")}
          </Button>
        </Form>
      </section>
    </SettingsFrame>
  );
}
