/** Names of machines that an action touches, the first ones by name, all to be copied. Props: `nodes`; `most` shown. */
import { useTranslation } from "react-i18next";
import { CopyButton } from "../../components/copy-button";

export function NodeNames({ nodes, most = 12 }: { nodes: ReadonlyArray<{ id: string; name: string; address: string }>; most?: number }) {
  const { t } = useTranslation("tickets");
  if (nodes.length === 0) return null;
  const shown = nodes.slice(0, most);
  return (
    <div className="node-names">
      <div className="node-names-head">
        <strong>{t("nodes.affected", { count: nodes.length })}</strong>
        <CopyButton text={nodes.map((node) => node.address || node.name).join("\n")} label={t("nodes.copyAddresses")} />
      </div>
      <ul>
        {shown.map((node) => (
          <li key={node.id}>
            <bdi>{node.name}</bdi> <span className="mono muted">{node.address}</span>
          </li>
        ))}
      </ul>
      {nodes.length > shown.length && <span className="muted">{t("common:danger.more", { count: nodes.length - shown.length })}</span>}
    </div>
  );
}
