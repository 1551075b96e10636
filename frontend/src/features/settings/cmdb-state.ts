/** The form of a CMDB source and the configuration that the api takes: one from the other, without the page. */
import type { SourceDetail, SourceIn } from "../../api/client";

export type Config = SourceIn["config"];
export type Rule = { field: string; path: string; scale: number; default: string };
export type SourceForm = {
  name: string;
  credential_id: string | null;
  machine_credential_id: string | null;
  machine_ssh_user: string;
  enabled: boolean;
  interval_seconds: number;
  max_vanished_percent: number;
  /** Everything of `source` but the mapping, as JSON: adapters differ too much for one form. */
  source: string;
  rules: Rule[];
};

/** Fields of a machine that a CMDB can fill; the first four must be. */
export const REQUIRED = ["cmdb_id", "sn", "hostname", "address"];
export const OPTIONAL = [
  "internal_address", "ssh_port", "ssh_user", "host_key", "region", "datacenter", "room", "rack", "unit", "vendor",
  "model", "cpu_cores", "memory_mb", "disk_gb", "gpu_model", "gpu_count", "os_family", "os_version", "kernel",
  "docker_version", "owner", "department", "purpose", "cmdb_status",
];

const EXAMPLE = {
  kind: "http",
  url: "https://cmdb.example.com/api/hosts",
  items: "data.hosts",
  total: "data.count",
  auth: { kind: "bearer" },
  paging: { kind: "page", page: "page", size: "per_page", rows: 500 },
};

export function emptyForm(): SourceForm {
  return {
    name: "",
    credential_id: null,
    machine_credential_id: null,
    machine_ssh_user: "root",
    enabled: true,
    interval_seconds: 900,
    max_vanished_percent: 20,
    source: JSON.stringify(EXAMPLE, null, 2),
    rules: REQUIRED.map((field) => ({ field, path: "", scale: 1, default: "" })),
  };
}

type Fields = Config["mapping"]["fields"];

export function formOf(source: SourceDetail): SourceForm {
  const fields = source.config.mapping.fields;
  const order = [...REQUIRED, ...OPTIONAL].filter((name) => name in fields);
  return {
    name: source.name,
    credential_id: source.credential_id,
    machine_credential_id: source.machine_credential_id,
    machine_ssh_user: source.machine_ssh_user,
    enabled: source.enabled,
    interval_seconds: source.interval_seconds,
    max_vanished_percent: source.max_vanished_percent,
    source: JSON.stringify(source.config.source, null, 2),
    rules: order.map((field) => ({
      field,
      path: fields[field]!.path,
      scale: fields[field]!.scale ?? 1,
      default: fields[field]!.default ?? "",
    })),
  };
}

/** The configuration; `kept` is the one before, whose translations and extra values no form row shows. Null: not JSON. */
export function configOf(form: SourceForm, kept?: Config): Config | null {
  const source = parsed(form.source);
  if (source === null) return null;
  const old: Fields = kept?.mapping.fields ?? {};
  const fields = Object.fromEntries(
    form.rules
      .filter((rule) => rule.path !== "" || rule.default !== "")
      .map((rule) => [rule.field, { ...old[rule.field], path: rule.path, scale: rule.scale, default: rule.default || null }]),
  );
  return { source, mapping: { fields, extra: kept?.mapping.extra ?? {} } };
}

function parsed(text: string): Config["source"] | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Config["source"]) : null;
  } catch {
    return null;
  }
}
