import { Link, useRouter } from "@tanstack/react-router";
import { Button, Flex, Spin } from "antd";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem";
import { ProblemAlert } from "../components/problem-alert";

/** In place of a page that broke; the frame around it stays usable. */
export function ErrorPage({ error, reset }: { error: unknown; reset?: () => void }) {
  const { t } = useTranslation();
  const router = useRouter();
  const retry = () => {
    reset?.();
    void router.invalidate();
  };
  return (
    <Flex vertical gap={16} className="page" role="alert">
      <h1 className="page-title">{t("error.title")}</h1>
      <ProblemAlert problem={asProblem(error)} />
      <Flex gap={8}>
        <Button type="primary" onClick={retry}>
          {t("action.retry")}
        </Button>
        <Button onClick={() => window.location.reload()}>{t("action.reload")}</Button>
      </Flex>
    </Flex>
  );
}

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Flex vertical gap={12} align="center" className="page not-found">
      <h1 className="page-title">{t("notFound.title")}</h1>
      <span className="muted">{t("notFound.text")}</span>
      <Link to="/">{t("notFound.home")}</Link>
    </Flex>
  );
}

export function PagePending() {
  const { t } = useTranslation();
  return (
    <Flex justify="center" align="center" className="page-pending" role="status" aria-label={t("loading")}>
      <Spin size="large" />
    </Flex>
  );
}
