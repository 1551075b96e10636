/** The frame around every page: header, banner while nothing may start, navigation, and the page's one live connection. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { Alert } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { StuckBanner } from "../features/tickets/stuck/stuck-banner";
import { useLive } from "../lib/live";
import { StaleTopics, TOPICS, topicOf } from "../lib/topics";
import { engineQuery } from "./frame-queries";
import { Header } from "./header";

const HINTS = "/api/v1/stream";

function useHints(): void {
  const queryClient = useQueryClient();
  const [stale] = useState(() => new StaleTopics(queryClient));
  useLive(HINTS, {
    onEvent: (event) => {
      const topic = topicOf(event.data);
      if (topic) stale.mark(topic);
    },
    onPoll: () => stale.mark(...TOPICS),
  });
}

function HaltedBanner() {
  const { t } = useTranslation();
  const { data } = useQuery(engineQuery);
  if (!data?.halted) return null;
  if (data.safe_mode) {
    const hosts = data.safe_mode.waits_for.join(", ");
    const waits = hosts ? t("engine.safeModeWaits", { hosts }) : t("engine.safeModeLook");
    return <Alert banner type="error" role="status" title={`${t("engine.safeMode")} ${waits}`} />;
  }
  return <Alert banner type="error" role="status" title={t("engine.halted", { reason: data.reason })} />;
}

export function Layout() {
  const { t } = useTranslation();
  useHints();
  return (
    <div className="frame">
      <a className="skip-link" href="#main">
        {t("skip")}
      </a>
      <Header />
      <HaltedBanner />
      <StuckBanner />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}
