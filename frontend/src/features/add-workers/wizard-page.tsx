import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Button, Flex } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader } from "../../components/page-header";
import { ReasonButton } from "../../components/reason-button";
import { may, meQuery } from "../../lib/queries";
import { barrier, type Draft, missing, type StepName, STEPS, withMachines } from "./draft";
import { machinesByIdQuery } from "./queries";
import { ChecksStep } from "./step-checks";
import { ClusterStep } from "./step-cluster";
import { MachinesStep } from "./step-machines";
import { PreviewStep } from "./step-preview";
import { SettingsStep } from "./step-settings";
import { useChecks } from "./use-checks";
import { useDraft } from "./use-draft";
import "./wizard.css";

const route = getRouteApi("/shell/add-workers");

function StepList({ draft, now, onGo }: { draft: Draft; now: StepName; onGo: (step: StepName) => void }) {
  const { t } = useTranslation("add-workers");
  return (
    <nav className="wizard-steps" aria-label={t("steps")}>
      <ol>
        {STEPS.map((step) => {
          const before = barrier(draft, step);
          return (
            <li key={step}>
              <ReasonButton
                type="text"
                block
                reason={before === null ? null : t(before.reason)}
                aria-current={step === now ? "step" : undefined}
                onClick={() => onGo(step)}
              >
                {t(`step.${step}`)}
              </ReasonButton>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** The draft as it was kept, with what the address adds: a cluster, and machines chosen on the machine page. */
function useStart() {
  const search = route.useSearch();
  const { draft, change, forget } = useDraft((kept) => (search.cluster ? { ...kept, cluster_id: search.cluster } : kept));
  const [taken, setTaken] = useState(false);
  const { data } = useQuery(machinesByIdQuery(search.machines ?? []));
  if (data && !taken) {
    setTaken(true);
    change(withMachines(draft, data.items).draft);
  }
  return { draft, change, forget };
}

export function WizardPage() {
  const { t } = useTranslation("add-workers");
  const { data: me } = useSuspenseQuery(meQuery);
  const { draft, change, forget } = useStart();
  const [step, setStep] = useState<StepName>(() => STEPS.find((one) => missing(draft, one) !== null) ?? "settings");
  const checks = useChecks(draft);
  const edit = (next: Draft) => {
    checks.reset();
    change(next);
  };
  const at = STEPS.indexOf(step);
  const next = STEPS[at + 1];
  const blocked = missing(draft, step);
  const back = STEPS[at - 1];
  return (
    <div className="page page-fill wizard">
      <PageHeader
        title={t("title")}
        sub={t("about")}
        secondary={<Button onClick={() => (checks.reset(), forget(), setStep("cluster"))}>{t("startAnew")}</Button>}
      />
      <div className="wizard-body">
        <StepList draft={draft} now={step} onGo={setStep} />
        <section className="card wizard-step" aria-labelledby="wizard-step-title">
          <h2 id="wizard-step-title">{t(`step.${step}`)}</h2>
          {step === "cluster" && <ClusterStep draft={draft} onChange={edit} />}
          {step === "machines" && <MachinesStep draft={draft} onChange={edit} />}
          {step === "settings" && <SettingsStep draft={draft} onChange={edit} />}
          {step === "checks" && <ChecksStep checks={checks} />}
          {step === "preview" && <PreviewStep draft={draft} report={checks.report} onDone={forget} />}
          <Flex gap={8} justify="end" className="wizard-buttons">
            {back && <Button onClick={() => setStep(back)}>{t("back")}</Button>}
            {next && (
              <ReasonButton
                type="primary"
                reason={may(me, "ticket:create") ? (blocked && t(blocked)) : t("notAllowed")}
                onClick={() => setStep(next)}
              >
                {t("next")}
              </ReasonButton>
            )}
          </Flex>
        </section>
      </div>
    </div>
  );
}
