/** What a CMDB answered and what the mapping made of its first rows. Props: `preview` as the api gave it. */
import { Alert, Flex, Table, Tabs } from "antd";
import { useTranslation } from "react-i18next";
import type { MappingPreviewOut } from "../../api/client";

export function MappingPreview({ preview }: { preview: MappingPreviewOut }) {
  const { t } = useTranslation("settings");
  const names = [...new Set(preview.machines.flatMap((machine) => Object.keys(machine.values)))];
  const machines = (
    <div className="preview-rows" role="region" tabIndex={0} aria-label={t("cmdb.asMachines", { count: preview.machines.length })}>
    <Table
      rowKey="line"
      size="small"
      pagination={false}
      dataSource={preview.machines}
      columns={[
        { title: t("cmdb.line"), dataIndex: "line" },
        ...names.map((name) => ({ title: t(`cmdb.field.${name}`), dataIndex: ["values", name] })),
      ]}
    />
    </div>
  );
  const refused = (
    <Table
      rowKey={(row) => `${row.line} ${row.field}`}
      size="small"
      pagination={false}
      dataSource={preview.refused}
      columns={[
        { title: t("cmdb.line"), dataIndex: "line" },
        { title: t("cmdb.field.sn"), dataIndex: "sn" },
        { title: t("cmdb.atField"), dataIndex: "field" },
        { title: t("cmdb.reason"), dataIndex: "reason" },
      ]}
    />
  );
  return (
    <Flex vertical gap={8} data-testid="mapping-preview">
      <Alert
        type={preview.refused.length === 0 ? "success" : "warning"}
        showIcon
        title={t("cmdb.answered", { read: preview.machines.length, refused: preview.refused.length })}
      />
      <Tabs
        size="small"
        items={[
          { key: "machines", label: t("cmdb.asMachines", { count: preview.machines.length }), children: machines },
          { key: "refused", label: t("cmdb.refusedRows", { count: preview.refused.length }), children: refused },
          {
            key: "rows",
            label: t("cmdb.asSent"),
            children: <pre className="mono">{JSON.stringify(preview.rows.slice(0, 3), null, 2)}</pre>,
          },
        ]}
      />
    </Flex>
  );
}
