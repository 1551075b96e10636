/** Signs in again over the page when the session has ended: nothing is unmounted, so nothing typed is lost. */
import { useQueryClient } from "@tanstack/react-query";
import { Modal } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { onSessionEnded } from "../api/http";
import type { Me } from "../api/client";
import { SignInForm } from "../components/sign-in-form";
import { reconnectNow } from "../lib/live";
import { meKey } from "../lib/queries";

export function SessionGuard() {
  const { t } = useTranslation();
  const queryClient = useQueryClient();
  const [was, setWas] = useState<Me | null>(null);
  useEffect(
    () =>
      onSessionEnded(() => {
        // Nobody was signed in yet: the router sends to the sign-in page by itself.
        const me = queryClient.getQueryData<Me>(meKey);
        if (me) setWas(me);
      }),
    [queryClient],
  );
  const signedIn = (me: Me) => {
    if (was && me.id !== was.id) {
      // What is on the page belongs to somebody else.
      queryClient.clear();
      window.location.assign("/");
      return;
    }
    queryClient.setQueryData(meKey, me);
    setWas(null);
    void queryClient.invalidateQueries();
    reconnectNow();
  };
  return (
    <Modal open={was !== null} title={t("session.ended")} footer={null} closable={false} destroyOnHidden width={420}>
      <p>{t("session.again")}</p>
      {was && (
        <SignInForm
          name={was.name}
          returnTo={window.location.pathname + window.location.search}
          onSignedIn={signedIn}
        />
      )}
    </Modal>
  );
}
