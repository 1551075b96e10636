/** The project's own source files, for tests about the text itself. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

export const SRC = join(import.meta.dirname, "..");

function* walk(directory: string): Generator<string> {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else yield path;
  }
}

export type Source = { path: string; text: string };

/** Everything that people wrote: no generated client. Paths are relative to `src`. */
export function sources(pattern: RegExp = /\.tsx?$/): Source[] {
  return [...walk(SRC)]
    .map((path) => ({ path: relative(SRC, path), full: path }))
    .filter(({ path }) => pattern.test(path) && !path.startsWith("api/client/"))
    .map(({ path, full }) => ({ path, text: readFileSync(full, "utf8") }));
}

export const isTest = (path: string) => path.startsWith("test/") || /\.test\.tsx?$/.test(path);
