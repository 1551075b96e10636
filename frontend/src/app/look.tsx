/** antd in the language and the theme of the person. */
import { ConfigProvider, theme as antdTheme } from "antd";
import type { Locale } from "antd/es/locale";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { antdConfig, type Theme, useTheme } from "../lib/theme";
import { Notices } from "./notices";

// Both are fetched at once (2 KB each): a locale that came later would make antd mount the whole page anew.
const LOCALES: Record<string, Locale> = { "zh-CN": zhCN, en: enUS };

/** antd's colours as CSS variables, so that our own style sheet follows the theme. */
function ThemeVariables({ theme }: { theme: Theme }) {
  const { token } = antdTheme.useToken();
  useEffect(() => {
    const style = document.documentElement.style;
    const variables = {
      "--bg": token.colorBgContainer,
      "--bg-page": token.colorBgLayout,
      "--bg-raised": token.colorBgElevated,
      "--bg-head": theme === "dark" ? "#1f2630" : "#f0f3f7",
      "--bg-hover": theme === "dark" ? "#1d2632" : "#eef4fc",
      "--bg-selected": theme === "dark" ? "#15304f" : "#dceafb",
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
  return (
    <ConfigProvider theme={antdConfig(theme)} locale={LOCALES[i18n.language] ?? zhCN} button={{ autoInsertSpace: false }}>
      <ThemeVariables theme={theme} />
      <Notices>{children}</Notices>
    </ConfigProvider>
  );
}
