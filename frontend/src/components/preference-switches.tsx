/** Language and theme menus, for the header and the sign-in page. */
import { CheckOutlined, GlobalOutlined, MoonOutlined } from "@ant-design/icons";
import { useQueryClient } from "@tanstack/react-query";
import type { MenuProps } from "antd";
import { useTranslation } from "react-i18next";
import { updateMe } from "../api/client";
import { changeLanguage, LANGUAGES, type Language, toServer } from "../lib/i18n";
import { meKey } from "../lib/queries";
import { chooseTheme, type ThemeChoice, useThemeChoice } from "../lib/theme";
import { MenuButton } from "./menu-button";

export function LanguageSwitch() {
  const { t, i18n } = useTranslation();
  const queryClient = useQueryClient();
  const change = async (language: Language) => {
    await changeLanguage(language);
    // Mails and messages come in this language too; a failure to save it is no reason to refuse the switch.
    if (queryClient.getQueryData(meKey)) await updateMe({ body: { locale: toServer(language) } }).catch(() => undefined);
  };
  const items: MenuProps["items"] = LANGUAGES.map((language) => ({
    key: language,
    label: <span lang={language}>{t(`language.${language}`)}</span>,
    icon: i18n.language === language ? <CheckOutlined aria-hidden /> : <span />,
    onClick: () => void change(language),
  }));
  return (
    <MenuButton menu={{ items }} type="text" icon={<GlobalOutlined aria-hidden />} aria-label={t("language.choose")} />
  );
}

export function ThemeSwitch() {
  const { t } = useTranslation();
  const chosen = useThemeChoice();
  const items: MenuProps["items"] = (["system", "light", "dark"] satisfies ThemeChoice[]).map((choice) => ({
    key: choice,
    label: t(`theme.${choice}`),
    icon: chosen === choice ? <CheckOutlined aria-hidden /> : <span />,
    onClick: () => chooseTheme(choice),
  }));
  return (
    <MenuButton menu={{ items }} type="text" icon={<MoonOutlined aria-hidden />} aria-label={t("theme.choose")} />
  );
}
