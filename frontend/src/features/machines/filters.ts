/** Filters of the machine page: one text each, `column:operator:value`, as the api takes them. Pure. */
export type Kind = "text" | "number" | "address" | "state" | "time";
export type Filter = { column: string; operator: string; value: string };

/** Columns that can be filtered and of what kind; their order is that of the list of columns. */
export const KINDS: Record<string, Kind> = {
  hostname: "text", address: "address", internal_address: "address", sn: "text",
  region: "text", datacenter: "text", room: "text", rack: "text", unit: "text",
  vendor: "text", model: "text", cpu_cores: "number", memory_mb: "number", disk_gb: "number", gpu_model: "text",
  gpu_count: "number",
  os_family: "text", os_version: "text", kernel: "text", docker_version: "text",
  cluster_name: "text", node_name: "text", node_roles: "text", node_label_count: "number", node_taint_count: "number",
  flat_network: "text", ippool: "text",
  state: "state", conflict_count: "number", cmdb_status: "text", cmdb_vanished_at: "time",
  owner: "text", department: "text", purpose: "text", updated_at: "time",
};

/** Columns whose values are few enough to choose from a list with counts. */
export const FACETS = new Set([
  "region", "datacenter", "room", "rack", "vendor", "model", "gpu_model", "os_family", "os_version", "kernel",
  "docker_version", "owner", "department", "purpose", "cmdb_status", "state", "cluster_name", "node_roles",
  "flat_network", "ippool",
]);

const OPERATORS: Record<Kind, string[]> = {
  text: ["in", "contains", "prefix", "ne"],
  number: ["eq", "ge", "le"],
  address: ["eq", "within", "prefix"],
  state: ["in", "ne"],
  time: ["null", "ge", "le"],
};

export const operatorsOf = (column: string): string[] => OPERATORS[KINDS[column] ?? "text"];

export function parsed(text: string): Filter | null {
  const [column, operator, ...rest] = text.split(":");
  return column && operator ? { column, operator, value: rest.join(":") } : null;
}

export const written = ({ column, operator, value }: Filter): string => `${column}:${operator}:${value}`;

/** A filter of the same column and operator is replaced: two `state:in` would match nothing. */
export function withFilter(filters: readonly string[], filter: Filter): string[] {
  const same = `${filter.column}:${filter.operator}:`;
  return [...filters.filter((text) => !text.startsWith(same)), ...(filter.value === "" ? [] : [written(filter)])];
}

export const withoutFilter = (filters: readonly string[], text: string): string[] => filters.filter((one) => one !== text);

/** Quick search: an address, a part of one, or a part of a host name. */
export function quick(text: string): Filter {
  const value = text.trim();
  if (/^[\d.:a-f]+\/\d{1,3}$/i.test(value)) return { column: "address", operator: "within", value };
  if (/^\d{1,3}(\.\d{0,3}){1,3}$/.test(value)) return { column: "address", operator: "prefix", value };
  return { column: "hostname", operator: "contains", value };
}
