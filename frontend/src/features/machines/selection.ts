/** Which machines are chosen: some by hand, or all that match the filters but some. Pure; ids only, never 100,000 of them. */
export type Selection =
  | { kind: "some"; ids: ReadonlySet<string> }
  | { kind: "matching"; filter: readonly string[]; total: number; without: ReadonlySet<string> };

export const NOTHING: Selection = { kind: "some", ids: new Set() };

export function isSelected(selection: Selection, id: string): boolean {
  return selection.kind === "some" ? selection.ids.has(id) : !selection.without.has(id);
}

export function count(selection: Selection): number {
  return selection.kind === "some" ? selection.ids.size : selection.total - selection.without.size;
}

export function toggled(selection: Selection, ids: readonly string[], selected: boolean): Selection {
  const changed = new Set(selection.kind === "some" ? selection.ids : selection.without);
  const add = selected === (selection.kind === "some");
  for (const id of ids) {
    if (add) changed.add(id);
    else changed.delete(id);
  }
  return selection.kind === "some" ? { kind: "some", ids: changed } : { ...selection, without: changed };
}

export function allOf(loaded: readonly string[], selection: Selection): "none" | "some" | "all" {
  const chosen = loaded.filter((id) => isSelected(selection, id)).length;
  return chosen === 0 ? (count(selection) === 0 ? "none" : "some") : chosen === loaded.length ? "all" : "some";
}

export function matching(filter: readonly string[], total: number): Selection {
  return { kind: "matching", filter, total, without: new Set() };
}

/** As the api takes a choice of machines. */
export function choiceOf(selection: Selection): { ids?: string[]; filter?: string[]; exclude_ids?: string[] } {
  if (selection.kind === "some") return { ids: [...selection.ids] };
  return { filter: [...selection.filter], exclude_ids: [...selection.without] };
}
