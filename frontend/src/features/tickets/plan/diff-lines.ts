/** A unified diff as the api makes it, read line by line. Pure. */
export type LineKind = "head" | "hunk" | "add" | "remove" | "same";
export type DiffLine = { text: string; kind: LineKind; before: number | null; after: number | null };

export function kindOf(line: string): LineKind {
  if (line.startsWith("+++") || line.startsWith("---")) return "head";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "add";
  return line.startsWith("-") ? "remove" : "same";
}

/** Each line with its numbers in the two files. */
export function numbered(lines: readonly string[]): DiffLine[] {
  let before = 0;
  let after = 0;
  return lines.map((text) => {
    const kind = kindOf(text);
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(text);
    if (hunk) [before, after] = [Number(hunk[1]), Number(hunk[2])];
    const line = { text, kind, before: null as number | null, after: null as number | null };
    if (kind === "same" || kind === "remove") line.before = before++;
    if (kind === "same" || kind === "add") line.after = after++;
    return line;
  });
}

const GAP = "⋯";

/** The parts around the changes, as they are in each file; what lies between them is left out. */
export function excerpts(lines: readonly string[]): { before: string; after: string } {
  const sides = { before: [] as string[], after: [] as string[] };
  for (const text of lines) {
    const kind = kindOf(text);
    if (kind === "head") continue;
    if (kind === "hunk") {
      if (sides.before.length + sides.after.length > 0) {
        sides.before.push(GAP);
        sides.after.push(GAP);
      }
      continue;
    }
    if (kind !== "add") sides.before.push(text.slice(1));
    if (kind !== "remove") sides.after.push(text.slice(1));
  }
  return { before: sides.before.join("\n"), after: sides.after.join("\n") };
}
