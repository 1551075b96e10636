import { describe, expect, it } from "vitest";
import { safeReturn } from "./return-path";

describe("safeReturn", () => {
  it.each(["/machines?filter=a%3Aeq%3Ab#x", "/tickets/1"])("keeps %s", (path) => expect(safeReturn(path)).toBe(path));

  it.each([undefined, "", "machines", "//evil.example", "/\\evil.example", "https://evil.example", "/login?return_to=/x", "javascript:alert(1)"])(
    "does not follow %s",
    (path) => expect(safeReturn(path)).toBe("/"),
  );
});
