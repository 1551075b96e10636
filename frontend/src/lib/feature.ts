/** What a feature hands to the app: its routes (typed, so outside this type) and its entries in the navigation. */
import { lazyRouteComponent } from "@tanstack/react-router";
import type { ComponentType, ReactNode } from "react";
import type { Me } from "../api/client";
import { loadTexts } from "./i18n";

export type NavEntry = {
  /** Path of the page, also the entry's identity. */
  to: string;
  /** Text key with its namespace, `common:nav.machines`: the frame needs no whole catalogue for it. */
  label: string;
  icon: ReactNode;
  /** Lower comes first. */
  order: number;
  /** Whether this person sees it; the api decides again. */
  visible?: (me: Me) => boolean;
};

/** A page of its own chunk, fetched together with its feature's texts rather than one after the other. */
export function lazyPage<Name extends string>(
  namespace: string,
  load: () => Promise<Record<Name, ComponentType>>,
  name: Name,
) {
  return lazyRouteComponent(async () => {
    const [module] = await Promise.all([load(), loadTexts(namespace)]);
    return module;
  }, name);
}
