/** Where to go after signing in: a path of our own, never an address that a link could have smuggled in. */
export function safeReturn(path: string | undefined): string {
  if (!path || !path.startsWith("/") || path.startsWith("//") || path.includes("\\")) return "/";
  const resolved = new URL(path, "http://own.invalid");
  if (resolved.host !== "own.invalid" || resolved.pathname === "/login") return "/";
  return resolved.pathname + resolved.search + resolved.hash;
}
