/** What becomes of cluster.yml: the nodes that come in, settings that differ, and the changed lines. */
import { Flex, Tag } from "antd";
import { useTranslation } from "react-i18next";
import type { ConfigChangeOut } from "../../api/client";

export function ConfigChange({ config }: { config: ConfigChangeOut }) {
  const { t } = useTranslation("add-workers");
  return (
    <section aria-labelledby="config-title">
      <h3 id="config-title">{t("preview.config", { cluster: config.cluster, revision: config.config_revision })}</h3>
      <ul style={{ margin: 0, paddingInlineStart: 18, maxHeight: 200, overflow: "auto" }} tabIndex={0}>
        {config.adds.map((node) => (
          <li key={node.address}>
            <strong>+ {node.hostname}</strong> <span className="mono muted">{node.address}</span>{" "}
            {node.role.map((role) => (
              <Tag key={role}>{role}</Tag>
            ))}
          </li>
        ))}
      </ul>
      <p className="muted">
        {config.settings.length === 0 ? t("preview.noSettings") : t("preview.settings", { keys: config.settings.join(", ") })}
      </p>
      <Flex vertical component="pre" className="mono diff-lines" tabIndex={0} aria-label={t("preview.diff")}>
        {config.diff.map((line, index) => (
          <span key={index} data-kind={line.startsWith("+") ? "in" : line.startsWith("-") ? "out" : undefined}>
            {line || " "}
          </span>
        ))}
      </Flex>
    </section>
  );
}
