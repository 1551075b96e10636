/** Small choices of this browser. Storage may be forbidden: then a choice lasts as long as the page. */
const PREFIX = "autorke.";
const held = new Map<string, string>();

export function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name) ?? held.get(name) ?? null;
  } catch {
    return held.get(name) ?? null;
  }
}

export function savePreference(name: string, value: string): void {
  held.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // kept in memory above
  }
}
