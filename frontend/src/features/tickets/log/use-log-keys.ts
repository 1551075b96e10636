/** Keys of the log: they work where the reader is in the log or nowhere in particular, never while he types. */
import { type RefObject, useEffect, useRef } from "react";

export type LogActions = {
  search: () => void;
  next: () => void;
  previous: () => void;
  first: () => void;
  last: () => void;
  follow: () => void;
  wrap: () => void;
  firstError: () => void;
};

const KEYS: Record<string, keyof LogActions> = {
  "/": "search",
  n: "next",
  N: "previous",
  g: "first",
  G: "last",
  f: "follow",
  w: "wrap",
  e: "firstError",
};

/** Pure: what a key means at a place of the page. */
export function actionFor(event: KeyboardEvent, region: HTMLElement | null): keyof LogActions | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !region) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("input, textarea, select, [contenteditable=true], [role=combobox], [role=menu], [role=listbox]")) return null;
  const here = target === null || target === document.body || region.contains(target) || target.closest("[role=tablist]") !== null;
  return here ? (KEYS[event.key] ?? null) : null;
}

export function useLogKeys(region: RefObject<HTMLElement | null>, actions: LogActions): void {
  const current = useRef(actions);
  useEffect(() => {
    current.current = actions;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const action = actionFor(event, region.current);
      if (action === null) return;
      event.preventDefault();
      current.current[action]();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [region]);
}
