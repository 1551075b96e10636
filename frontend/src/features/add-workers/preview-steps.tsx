/** The steps of the ticket to be, with the gates at each and who may sign them. Props: `preview`. */
import { Table, Tag } from "antd";
import { useTranslation } from "react-i18next";
import type { PreviewOut, PreviewStepOut } from "../../api/client";
import { pick } from "../../api/problem";

function Signers({ preview, step }: { preview: PreviewOut; step: PreviewStepOut }) {
  const { t } = useTranslation("add-workers");
  if (!step.pre_gate && !step.post_gate) return <span className="muted">–</span>;
  const people = preview.approvers[step.permission] ?? [];
  if (people.length === 0) return <Tag color="red">{t("preview.nobody")}</Tag>;
  const names = people.slice(0, 4).map((person) => person.display_name);
  return (
    <>
      {names.join(", ")}
      {people.length > 4 && ` +${people.length - 4}`}
      {step.quorum > 1 && <div className="muted">{t("preview.quorum", { count: step.quorum })}</div>}
    </>
  );
}

export function PreviewSteps({ preview }: { preview: PreviewOut }) {
  const { t, i18n } = useTranslation("add-workers");
  return (
    <section aria-labelledby="preview-steps-title">
      <h3 id="preview-steps-title">{t("preview.steps")}</h3>
      <Table<PreviewStepOut>
        rowKey="key"
        size="small"
        pagination={false}
        scroll={{ x: "max-content" }}
        dataSource={preview.steps}
        columns={[
          { title: "#", key: "n", render: (_, _step, index) => index + 1 },
          {
            title: t("preview.step"),
            key: "title",
            render: (_, step) => (
              <div style={{ maxWidth: 520, whiteSpace: "normal" }}>
                <strong>{pick(step.title, i18n.language)}</strong>
                <div className="muted">{pick(step.skip_reason ?? step.does, i18n.language)}</div>
              </div>
            ),
          },
          {
            title: t("preview.gates"),
            key: "gates",
            render: (_, step) =>
              step.skip_reason ? (
                <Tag>{t("preview.skipped")}</Tag>
              ) : (
                <>
                  {step.pre_gate && <Tag>{t("preview.pre")}</Tag>}
                  {step.post_gate && <Tag>{t("preview.post")}</Tag>}
                </>
              ),
          },
          { title: t("preview.signers"), key: "signers", render: (_, step) => <Signers preview={preview} step={step} /> },
        ]}
      />
    </section>
  );
}
