/** Copies a text and says so. Props: `text`; `label` what is copied (accessible name); `children` visible words. */
import { CheckOutlined, CopyOutlined } from "@ant-design/icons";
import { Button, Tooltip } from "antd";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { copyText } from "../lib/clipboard";

const TOLD_MS = 2000;

export function CopyButton({ text, label, children }: { text: string; label?: string; children?: ReactNode }) {
  const { t } = useTranslation();
  const [told, setTold] = useState<"" | "copied" | "failed">("");
  const copy = async () => setTold((await copyText(text)) ? "copied" : "failed");
  useEffect(() => {
    if (told === "") return undefined;
    const timer = setTimeout(() => setTold(""), TOLD_MS); // from when it is shown, however late that is
    return () => clearTimeout(timer);
  }, [told]);
  const said = told === "" ? "" : t(`copy.${told}`);
  return (
    <>
      <Tooltip title={said || (label ?? t("copy.copy"))}>
        <Button
          size="small"
          type={children ? "default" : "text"}
          icon={told === "copied" ? <CheckOutlined aria-hidden /> : <CopyOutlined aria-hidden />}
          aria-label={children ? undefined : (label ?? t("copy.copy"))}
          onClick={(event) => {
            event.stopPropagation();
            void copy();
          }}
        >
          {children}
        </Button>
      </Tooltip>
      <span role="status" className="visually-hidden">
        {said}
      </span>
    </>
  );
}
