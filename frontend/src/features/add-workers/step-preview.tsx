import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Alert, Checkbox, Flex, Spin } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { PreviewOut } from "../../api/client";
import { asProblem, pick, type Words } from "../../api/problem";
import { ProblemAlert } from "../../components/problem-alert";
import { ReasonButton } from "../../components/reason-button";
import { type Report, verdict } from "./check-results";
import type { Draft } from "./draft";
import { ConfigChange } from "./preview-config";
import { PreviewSteps } from "./preview-steps";
import { previewQuery, submit } from "./queries";

type Props = { draft: Draft; report: Report; onDone: () => void };

function Obstacles({ preview }: { preview: PreviewOut }) {
  const { t, i18n } = useTranslation("add-workers");
  const refused = preview.targets.filter((target) => target.reason !== null);
  const { position, waiting_for: waiting } = preview.queue;
  return (
    <>
      {refused.length > 0 && (
        <Alert
          type="error"
          showIcon
          role="alert"
          title={t("preview.refused", { count: refused.length })}
          description={refused.map((target) => (
            <div key={target.node_id}>
              <strong>{target.name}</strong> {target.reason && pick(target.reason, i18n.language)}
            </div>
          ))}
        />
      )}
      {preview.problems.map((problem, index) => (
        <Alert key={index} type="warning" showIcon title={pick(problem["message"] as Words, i18n.language)} />
      ))}
      {position > 0 && (
        <Alert
          type="info"
          showIcon
          title={t("preview.queue", { count: position, numbers: waiting.map((one) => `#${one.ticket_number}`).join(", ") })}
        />
      )}
    </>
  );
}

function Commands({ preview }: { preview: PreviewOut }) {
  const { t } = useTranslation("add-workers");
  return (
    <section aria-labelledby="commands-title">
      <h3 id="commands-title">{t("preview.commands")}</h3>
      {preview.commands.map((command, index) => (
        <details key={index}>
          <summary>
            <strong>{command.tool}</strong> {command.what} <span className="muted">{command.step}</span>
          </summary>
          <pre className="mono" tabIndex={0}>
            {command.lines.join("\n")}
          </pre>
        </details>
      ))}
    </section>
  );
}

function useSubmit(draft: Draft, onDone: () => void) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => submit(draft),
    onSuccess: async (ticket) => {
      onDone();
      void queryClient.invalidateQueries({ queryKey: ["tickets"] });
      await navigate({ href: `/tickets/${ticket.number}` });
    },
  });
}

function SubmitBar({ draft, report, onDone, preview }: Props & { preview: PreviewOut }) {
  const { t } = useTranslation("add-workers");
  const [aware, setAware] = useState(false);
  const send = useSubmit(draft, onDone);
  const doubt = verdict(report);
  const reason = !preview.submittable ? t("preview.notSubmittable") : doubt !== null && !aware ? t(doubt) : null;
  return (
    <Flex vertical gap={8}>
      {send.error && <ProblemAlert problem={asProblem(send.error)} />}
      {doubt !== null && (
        <Checkbox checked={aware} onChange={(event) => setAware(event.target.checked)}>
          {t(doubt)} {t("preview.anyway")}
        </Checkbox>
      )}
      <Flex justify="end">
        <ReasonButton type="primary" reason={reason} loading={send.isPending} onClick={() => send.mutate()}>
          {t("preview.submit", { count: draft.machines.length })}
        </ReasonButton>
      </Flex>
    </Flex>
  );
}

export function PreviewStep(props: Props) {
  const { t } = useTranslation("add-workers");
  const found = useQuery(previewQuery(props.draft));
  if (found.isLoading) return <Spin />;
  if (found.error) return <ProblemAlert problem={asProblem(found.error)} />;
  const preview = found.data;
  if (!preview) return null;
  return (
    <Flex vertical gap={16}>
      <p style={{ margin: 0 }}>
        <strong>{preview.summary}</strong> · {t("preview.policy", { policy: t(`policy.${preview.policy}`) })}
      </p>
      <Obstacles preview={preview} />
      {preview.config && <ConfigChange config={preview.config} />}
      <PreviewSteps preview={preview} />
      <Commands preview={preview} />
      <SubmitBar {...props} preview={preview} />
    </Flex>
  );
}
