import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { Flex } from "antd";
import { useTranslation } from "react-i18next";
import type { Me } from "../../api/client";
import { LanguageSwitch, ThemeSwitch } from "../../components/preference-switches";
import { SignInForm } from "../../components/sign-in-form";
import { meKey } from "../../lib/queries";
import { safeReturn } from "./return-path";

const route = getRouteApi("/login");

export function LoginPage() {
  const { t } = useTranslation("account");
  const { return_to } = route.useSearch();
  const router = useRouter();
  const queryClient = useQueryClient();
  const target = safeReturn(return_to);
  const signedIn = (me: Me) => {
    queryClient.clear();
    queryClient.setQueryData(meKey, me);
    router.history.push(target);
  };
  return (
    <main className="login">
      <section className="card" aria-labelledby="login-title">
        <Flex justify="space-between" align="center" style={{ marginBottom: 20 }}>
          <h1 id="login-title" className="page-title">
            {t("login.title")}
          </h1>
          <span>
            <LanguageSwitch />
            <ThemeSwitch />
          </span>
        </Flex>
        <SignInForm returnTo={target} onSignedIn={signedIn} />
      </section>
      <p className="muted" style={{ textAlign: "center" }}>
        {t("login.about")}
      </p>
    </main>
  );
}
