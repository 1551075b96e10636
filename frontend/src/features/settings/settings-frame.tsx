/** What every section of the settings shares: the list of sections on the left, title and primary action on top.
 * Props: those of `PageHeader`, and the section as children. */
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader, type PrimaryAction } from "../../components/page-header";
import { meQuery } from "../../lib/queries";
import { sectionsOf } from "./sections";
import "./settings.css";

type Props = { name: string; primary?: PrimaryAction; children: ReactNode };

export function SettingsFrame({ name, primary, children }: Props) {
  const { t } = useTranslation("settings");
  const { data: me } = useSuspenseQuery(meQuery);
  return (
    <div className="page settings">
      <nav className="settings-nav" aria-label={t("sections")}>
        <ul>
          {sectionsOf(me).map((section) => (
            <li key={section.name}>
              <Link to={section.to}>{t(`${section.name}.title`)}</Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="settings-body">
        <PageHeader title={t(`${name}.title`)} sub={t(`${name}.about`)} {...(primary ? { primary } : {})} />
        {children}
      </div>
    </div>
  );
}
