/** antd in the language and the theme of the person. */
import { useQuery } from "@tanstack/react-query";
import { App as AntdApp, ConfigProvider, theme as antdTheme } from "antd";
import type { Locale } from "antd/es/locale";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { antdConfig, type Theme, useTheme } from "../lib/theme";

const LOCALES: Record<string, () => Promise<{ default: Locale }>> = {
  "zh-CN": () => import("antd/locale/zh_CN"),
  en: () => import("antd/locale/en_US"),
};

function useAntdLocale(language: string): Locale | undefined {
  const { data } = useQuery({
    queryKey: ["antd-locale", language],
    queryFn: async () => (await (LOCALES[language] ?? LOCALES["en"]!)()).default,
    staleTime: Infinity,
  });
  return data;
}

/** antd's colours as CSS variables, so that our own style sheet follows the theme. */
function ThemeVariables({ theme }: { theme: Theme }) {
  const { token } = antdTheme.useToken();
  useEffect(() => {
    const style = document.documentElement.style;
    const variables = {
      "--bg": token.colorBgContainer,
      "--bg-page": token.colorBgLayout,
      "--bg-raised": token.colorBgElevated,
      "--bg-head": theme === "dark" ? "#1a212b" : "#f0f3f7",
      "--bg-hover": theme === "dark" ? "#1d2733" : "#eef4fc",
      "--bg-selected": theme === "dark" ? "#16304f" : "#dceaFb",
      "--text": token.colorText,
      "--text-muted": token.colorTextSecondary,
      "--line": token.colorBorderSecondary,
      "--line-strong": token.colorBorder,
      "--primary": token.colorLink,
      "--success": token.colorSuccess,
      "--warning": token.colorWarning,
      "--error": token.colorError,
      "--font": token.fontFamily,
    };
    for (const [name, value] of Object.entries(variables)) style.setProperty(name, value);
    style.colorScheme = theme;
    document.documentElement.dataset["theme"] = theme;
  }, [token, theme]);
  return null;
}

export function Look({ children }: { children: ReactNode }) {
  const { i18n } = useTranslation();
  const theme = useTheme();
  const locale = useAntdLocale(i18n.language);
  return (
    <ConfigProvider theme={antdConfig(theme)} {...(locale ? { locale } : {})} button={{ autoInsertSpace: false }}>
      <ThemeVariables theme={theme} />
      <AntdApp message={{ maxCount: 3 }}>{children}</AntdApp>
    </ConfigProvider>
  );
}
