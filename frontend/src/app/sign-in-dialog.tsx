/** The question for the password over a page; fetched when a session has ended, since a first visit has no use for it. */
import { Modal } from "antd";
import { useTranslation } from "react-i18next";
import type { Me } from "../api/client";
import { SignInForm } from "../components/sign-in-form";

export default function SignInDialog({ name, onSignedIn }: { name: string; onSignedIn: (me: Me) => void }) {
  const { t } = useTranslation();
  return (
    <Modal open title={t("session.ended")} footer={null} closable={false} width={420}>
      <p>{t("session.again")}</p>
      <SignInForm
        name={name}
        returnTo={window.location.pathname + window.location.search}
        onSignedIn={onSignedIn}
      />
    </Modal>
  );
}
