/** Texts: one catalogue per feature and language, fetched when a page of the feature is first shown. */
import i18n, { type BackendModule, type ResourceKey } from "i18next";
import { initReactI18next } from "react-i18next";
import { readPreference, savePreference } from "./preferences";

export const LANGUAGES = ["zh-CN", "en"] as const;
export type Language = (typeof LANGUAGES)[number];

const catalogues = import.meta.glob<{ default: ResourceKey }>("../locales/*/*.json");

const backend: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, namespace, done) => {
    const load = catalogues[`../locales/${language}/${namespace}.json`];
    if (!load) return done(new Error(`no catalogue ${language}/${namespace}`), null);
    load().then(
      (module) => done(null, module.default),
      (error: unknown) => done(error instanceof Error ? error : String(error), null),
    );
  },
};

/** The language of the person, of the browser, or Chinese. */
export function initialLanguage(): Language {
  const saved = readPreference("language");
  if (LANGUAGES.includes(saved as Language)) return saved as Language;
  return navigator.languages.some((name) => name.toLowerCase().startsWith("zh")) || navigator.languages.length === 0
    ? "zh-CN"
    : "en";
}

/** Call once before the first render. */
export async function startI18n(language: Language = initialLanguage()): Promise<void> {
  i18n.on("languageChanged", (name) => (document.documentElement.lang = name));
  await i18n
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: language,
      // No fallback: a missing text must be seen by the tests, and the other language is of no use to its reader.
      fallbackLng: false,
      keySeparator: false,
      pluralSeparator: "#",
      ns: ["common"],
      defaultNS: "common",
      interpolation: { escapeValue: false },
      returnNull: false,
    });
}

export async function loadTexts(...namespaces: string[]): Promise<void> {
  await i18n.loadNamespaces(namespaces);
}

export async function changeLanguage(language: Language): Promise<void> {
  savePreference("language", language);
  await i18n.changeLanguage(language);
}

/** The api says `zh` and `en`. */
export function fromServer(locale: string): Language {
  return locale === "en" ? "en" : "zh-CN";
}

export function toServer(language: string): "zh" | "en" {
  return language === "en" ? "en" : "zh";
}
