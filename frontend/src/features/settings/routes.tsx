import type { NavEntry } from "../../lib/feature";

export const routes = [] as const;

export const nav: NavEntry[] = [];
