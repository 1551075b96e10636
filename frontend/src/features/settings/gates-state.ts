/** Gate policies of a cluster: flow → policy, `default` for every other flow, nothing at all = strict. */
export const POLICIES = ["strict", "standard", "express"] as const;
export type Policy = (typeof POLICIES)[number];
/** The choice "as the default": the flow has no entry of its own. */
export const INHERIT = "inherit";

export function changedPolicy(
  policies: Record<string, string>,
  flow: string,
  policy: Policy | typeof INHERIT,
): Record<string, Policy> {
  const { [flow]: _old, ...others } = policies;
  return (policy === INHERIT ? others : { ...others, [flow]: policy }) as Record<string, Policy>;
}
