/** Rules of the page of people, without the page. */
import type { BindingOut, UserOut } from "../../api/client";

/** Bindings sorted: everywhere first, then by cluster; and by role. */
export function sortedBindings(user: UserOut): BindingOut[] {
  const rank = (binding: BindingOut) => `${binding.cluster_id ?? ""} ${binding.role}`;
  return [...user.bindings].sort((one, other) => rank(one).localeCompare(rank(other)));
}

/** Does the person have the role there already, so that giving it again would change nothing? */
export function hasRole(user: UserOut, role: string, clusterId: string | null): boolean {
  return user.bindings.some((one) => one.role === role && (one.cluster_id === null || one.cluster_id === clusterId));
}

/** Why this account cannot be disabled or deleted by this person; null = it can. */
export function whyNotAway(user: UserOut, meId: string): "self" | null {
  return user.id === meId ? "self" : null;
}
