/** Light or dark: the person's choice, else the system's, followed while it changes. */
import { theme as antdTheme, type ThemeConfig } from "antd";
import { useSyncExternalStore } from "react";
import { readPreference, savePreference } from "./preferences";

export type ThemeChoice = "system" | "light" | "dark";
export type Theme = "light" | "dark";

const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", () => listeners.forEach((tell) => tell()));

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function themeChoice(): ThemeChoice {
  const saved = readPreference("theme");
  return saved === "light" || saved === "dark" ? saved : "system";
}

export function chooseTheme(choice: ThemeChoice): void {
  savePreference("theme", choice);
  listeners.forEach((tell) => tell());
}

function current(): Theme {
  const choice = themeChoice();
  return choice === "system" ? (system.matches ? "dark" : "light") : choice;
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, themeChoice);
}

const FONTS = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif';

const SHARED = {
  fontFamily: FONTS,
  borderRadius: 6,
  motion: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
  motionDurationMid: "0.12s",
  motionDurationSlow: "0.18s",
};

/** antd's defaults fail WCAG AA for secondary text, placeholders and coloured tags: these tokens are the darker ones. */
const LIGHT: ThemeConfig = {
  algorithm: antdTheme.defaultAlgorithm,
  token: {
    ...SHARED,
    colorPrimary: "#1554ad",
    colorLink: "#1554ad",
    colorSuccess: "#1a7f37",
    colorWarning: "#8a5a00",
    colorError: "#c1121f",
    colorInfo: "#1554ad",
    // what the algorithm derives from such dark colours is grey
    colorSuccessBg: "#eefaf1",
    colorWarningBg: "#fff8e6",
    colorWarningBorder: "#e3c37a",
    colorErrorBg: "#fff1f1",
    colorErrorBorder: "#f0b4b8",
    colorInfoBg: "#eef4fc",
    colorTextSecondary: "rgba(0,0,0,0.72)",
    colorTextTertiary: "rgba(0,0,0,0.62)",
    colorTextQuaternary: "rgba(0,0,0,0.6)",
    colorTextPlaceholder: "rgba(0,0,0,0.6)",
    colorTextDescription: "rgba(0,0,0,0.65)",
    colorTextDisabled: "rgba(0,0,0,0.58)",
    colorBgLayout: "#f3f5f8",
  },
};

const DARK: ThemeConfig = {
  algorithm: antdTheme.darkAlgorithm,
  token: {
    ...SHARED,
    colorPrimary: "#1668dc",
    // A lighter one under the pointer would leave white words without contrast.
    colorPrimaryHover: "#1259bf",
    colorLink: "#78aefc",
    colorSuccess: "#60c477",
    colorWarning: "#d9a441",
    colorError: "#f2787d",
    colorInfo: "#78aefc",
    colorTextSecondary: "rgba(255,255,255,0.78)",
    colorTextTertiary: "rgba(255,255,255,0.68)",
    colorTextQuaternary: "rgba(255,255,255,0.62)",
    colorTextPlaceholder: "rgba(255,255,255,0.62)",
    colorTextDescription: "rgba(255,255,255,0.7)",
    colorTextDisabled: "rgba(255,255,255,0.6)",
    colorBgContainer: "#161b22",
    colorBgElevated: "#1f2630",
    colorBgLayout: "#0d1117",
    colorBorder: "#48515c",
    colorBorderSecondary: "#30363d",
  },
  // a primary dark enough for white text on it is too dark as a text
  components: {
    Button: { dangerColor: "#2a0a0c" }, // on the light red that reads well as a text
    Tabs: { itemSelectedColor: "#78aefc", itemHoverColor: "#a5c8fd", inkBarColor: "#78aefc" },
  },
};

export function antdConfig(theme: Theme): ThemeConfig {
  return theme === "dark" ? DARK : LIGHT;
}
