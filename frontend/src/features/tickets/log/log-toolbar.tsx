/** Above the lines: search, level, first error, follow, wrap. Props: `controls` what is chosen and how to change it. */
import { ArrowDownOutlined, ArrowUpOutlined, BugOutlined } from "@ant-design/icons";
import { Button, Checkbox, Flex, Input, type InputRef, Select, Tooltip } from "antd";
import type { ReactNode, Ref } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "../../../components/copy-button";
import { ReasonButton } from "../../../components/reason-button";
import type { Level } from "./log-sources";

export type Controls = {
  text: string;
  onText: (text: string) => void;
  level: Level;
  onLevel: (level: Level) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
};

export type Matches = { place: number; count: number; more: boolean; busy: boolean };

export type ToolbarProps = {
  controls: Controls;
  input: Ref<InputRef>;
  matches: Matches | null;
  onStep: (back: boolean) => void;
  onLeave: () => void;
  noError: string | null;
  onFirstError: () => void;
  follows: boolean;
  /** Why the log cannot be followed, null when it can. */
  noFollow: string | null;
  onFollow: () => void;
  link: string | null;
  children?: ReactNode;
};

const LEVELS: Level[] = ["info", "warning", "error"];

function Counter({ matches }: { matches: Matches | null }) {
  const { t, i18n } = useTranslation("log");
  if (!matches) return null;
  const number = (n: number) => n.toLocaleString(i18n.language);
  const said =
    matches.count === 0
      ? t(matches.more ? "search.elsewhere" : "search.none")
      : t("search.place", { place: number(matches.place), count: `${number(matches.count)}${matches.more ? "+" : ""}` });
  return (
    <span className="log-counter" role="status" data-testid="log-counter" data-busy={matches.busy || undefined}>
      {matches.busy && matches.count === 0 ? t("search.busy") : said}
    </span>
  );
}

function Search(props: ToolbarProps) {
  const { t } = useTranslation("log");
  const none = props.matches === null || (props.matches.count === 0 && !props.matches.more);
  return (
    <Flex gap={4} align="center">
      <Input
        ref={props.input}
        size="small"
        className="log-search"
        type="text"
        maxLength={200}
        value={props.controls.text}
        placeholder={t("search.placeholder")}
        aria-label={t("search.label")}
        onChange={(event) => props.controls.onText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") props.onStep(event.shiftKey);
          else if (event.key === "Escape") props.onLeave();
        }}
      />
      <Button size="small" type="text" disabled={none} aria-label={t("search.previous")} title={t("search.previous")} icon={<ArrowUpOutlined aria-hidden />} onClick={() => props.onStep(true)} />
      <Button size="small" type="text" disabled={none} aria-label={t("search.next")} title={t("search.next")} icon={<ArrowDownOutlined aria-hidden />} onClick={() => props.onStep(false)} />
      <Counter matches={props.matches} />
    </Flex>
  );
}

export function LogToolbar(props: ToolbarProps) {
  const { t } = useTranslation("log");
  const { controls } = props;
  return (
    <Flex gap={8} wrap align="center" className="log-toolbar">
      <Search {...props} />
      <Select<Level>
        size="small"
        className="log-level-choice"
        aria-label={t("level.label")}
        value={controls.level}
        onChange={controls.onLevel}
        options={LEVELS.map((level) => ({ value: level, label: t(`level.${level}`) }))}
      />
      <ReasonButton size="small" icon={<BugOutlined aria-hidden />} reason={props.noError} onClick={props.onFirstError}>
        {t("firstError")}
      </ReasonButton>
      {props.noFollow === null ? (
        <Checkbox checked={props.follows} onChange={props.onFollow}>
          {t("follow")}
        </Checkbox>
      ) : (
        <span className="muted">{props.noFollow}</span>
      )}
      <Checkbox checked={controls.wrap} onChange={(event) => controls.onWrap(event.target.checked)}>
        {t("wrap")}
      </Checkbox>
      {props.link !== null && <CopyButton text={props.link} label={t("line.copyLink")} />}
      {props.children}
      <Tooltip title={t("keys")}>
        <button type="button" className="log-keys">
          <kbd>{t("keys.short")}</kbd>
          <span className="visually-hidden">{t("keys")}</span>
        </button>
      </Tooltip>
    </Flex>
  );
}
