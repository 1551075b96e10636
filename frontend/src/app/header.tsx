import { UserOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type MenuProps, Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { logOut } from "../api/client";
import { MenuButton } from "../components/menu-button";
import { LanguageSwitch, ThemeSwitch } from "../components/preference-switches";
import { reconnectNow, useConnectionState } from "../lib/live";
import { inboxCountsQuery, meQuery } from "../lib/queries";
import { nav } from "./features";

const NAMESPACES = nav.map((entry) => entry.label.split(":")[0]!);

function Navigation() {
  const { t } = useTranslation(["common", ...new Set(NAMESPACES)]);
  const { data: me } = useQuery(meQuery);
  const { data: counts } = useQuery(inboxCountsQuery);
  const waiting = counts?.approve ?? 0;
  return (
    <nav aria-label={t("nav")}>
      <ul>
        {nav
          .filter((entry) => me && (entry.visible?.(me) ?? true))
          .map((entry) => (
            <li key={entry.to}>
              <Link to={entry.to} activeOptions={{ includeSearch: false }}>
                <span aria-hidden="true">{entry.icon}</span>
                {t(entry.label)}
                {entry.to === "/inbox" && waiting > 0 && (
                  <span className="count" aria-label={t("inbox.waiting", { count: waiting })}>
                    {waiting > 99 ? "99+" : waiting}
                  </span>
                )}
              </Link>
            </li>
          ))}
      </ul>
    </nav>
  );
}

function ConnectionDot() {
  const { t } = useTranslation();
  const state = useConnectionState();
  const label = t(`connection.${state}`);
  const content = (
    <>
      <span className="dot" data-state={state} aria-hidden="true" />
      {label}
    </>
  );
  const waiting = state === "reconnecting" || state === "polling";
  return (
    <Tooltip title={t(`connectionHelp.${state}`)}>
      {waiting ? (
        <button type="button" className="connection" onClick={reconnectNow} data-testid="connection">
          {content}
        </button>
      ) : (
        <span className="connection" role="status" data-testid="connection">
          {content}
        </span>
      )}
    </Tooltip>
  );
}

function UserMenu() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const leave = useMutation({
    mutationFn: () => logOut(),
    onSettled: async () => {
      await navigate({ to: "/login" });
      queryClient.clear();
    },
  });
  const items: MenuProps["items"] = [
    { key: "profile", label: t("user.profile"), onClick: () => void navigate({ to: "/profile" }) },
    { key: "tokens", label: t("user.tokens"), onClick: () => void navigate({ to: "/profile/tokens" }) },
    { type: "divider" },
    { key: "out", label: t("user.signOut"), onClick: () => leave.mutate() },
  ];
  return (
    <MenuButton menu={{ items }} placement="bottomRight" type="text" icon={<UserOutlined aria-hidden />} data-testid="user-menu">
      {me?.display_name ?? ""}
    </MenuButton>
  );
}

export function Brand() {
  const { t } = useTranslation();
  return (
    <Link to="/" className="brand">
      <img src="/favicon.svg" width={22} height={22} alt="" />
      {t("product")}
    </Link>
  );
}

export function Header() {
  return (
    <header className="header">
      <Brand />
      <Navigation />
      <div className="header-tools">
        <ConnectionDot />
        <LanguageSwitch />
        <ThemeSwitch />
        <UserMenu />
      </div>
    </header>
  );
}
