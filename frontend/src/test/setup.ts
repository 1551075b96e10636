/** What a browser has and jsdom has not, the mocked api, and texts in Chinese unless a test says otherwise. */
import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";

// Generous, because machines are slow at times; and a whole page in an error says nothing.
configure({
  asyncUtilTimeout: 30_000,
  getElementError: (message) => Object.assign(new Error(message ?? ""), { name: "ElementError" }),
});

window.matchMedia = (query: string) =>
  ({
    matches: query.includes("reduced-motion"), // nothing ever ends a transition here
    media: query,
    onchange: null,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    dispatchEvent: () => false,
  }) satisfies MediaQueryList;

class NoResize implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
window.ResizeObserver = NoResize;
window.scrollTo = () => undefined;
Element.prototype.scrollIntoView = () => undefined;
// Without layout every size is 0 and a virtual list shows nothing.
Object.defineProperties(HTMLElement.prototype, {
  offsetHeight: { configurable: true, get: () => 600 },
  offsetWidth: { configurable: true, get: () => 1200 },
  clientHeight: { configurable: true, get: () => 600 },
  clientWidth: { configurable: true, get: () => 1200 },
});
Element.prototype.scrollTo = () => undefined;

// antd asks for the size of scroll bars through a pseudo element, which jsdom does not know and complains about.
const computed = window.getComputedStyle.bind(window);
window.getComputedStyle = (element) => computed(element);

const { server } = await import("./server");
const { startI18n, changeLanguage } = await import("../lib/i18n");
await import("../api/http");
await startI18n("zh-CN");

beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
beforeEach(async () => {
  localStorage.clear();
  await changeLanguage("zh-CN");
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
  vi.useRealTimers();
});
afterAll(() => server.close());
