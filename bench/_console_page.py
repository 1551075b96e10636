"""Stop-watches of the console's bench. They run inside the page, so that the driver's own way there is not measured."""

from __future__ import annotations

import statistics
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page

PATIENCE_MS = 60_000

START = """
window.bench = { tasks: [], heard: 0 };
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) bench.tasks.push([one.startTime, one.duration]);
}).observe({ type: "longtask", buffered: true });
for (const type of ["largest-contentful-paint", "layout-shift"])
  new PerformanceObserver((list) => {
    for (const one of list.getEntries())
      if (type === "layout-shift") bench.shift = (bench.shift ?? 0) + (one.hadRecentInput ? 0 : one.value);
      else bench.largest = one.startTime;
  }).observe({ type, buffered: true });
bench.until = (done, ms = 60000) => new Promise((found, lost) => {
  const last = performance.now() + ms;
  const look = () => {
    if (done()) requestAnimationFrame(() => setTimeout(() => found(performance.now())));
    else if (performance.now() > last) lost(new Error("never: " + done));
    else requestAnimationFrame(look);
  };
  look();
});
const read = ReadableStreamDefaultReader.prototype.read;
ReadableStreamDefaultReader.prototype.read = function (...given) {
  return read.apply(this, given).then((one) => {
    if (typeof one.value === "string" && one.value.includes("event: nodes")) bench.heard = performance.now();
    return one;
  });
};
"""
"""`bench.until(done)`: when the frame was painted in which `done` first held."""

ROWS = """() => document.querySelector('.grid-body [data-row="0"]')"""


def middle(values: list[float]) -> float:
    return round(statistics.median(values), 1)


def p95(values: list[float]) -> float:
    return round(statistics.quantiles(values, n=20)[18], 1)


def after(page: Page, action: str, done: str, argument: Any = None) -> float:
    """Milliseconds from an action in the page to the paint in which `done` holds."""
    script = f"async (given) => {{ const begun = performance.now(); ({action})(given);" + (
        f" return (await bench.until(() => ({done})(given))) - begun; }}"
    )
    return float(page.evaluate(script, argument))


def wire(context: BrowserContext, url: str, encoding: str) -> dict[str, Any]:
    """Bytes of a first visit as they came over the wire, headers included, with one encoding accepted."""
    page = context.new_page()
    page.set_extra_http_headers({"Accept-Encoding": encoding})
    network: CDPSession = context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    encodings: set[str] = set()
    sizes = {"console": 0, "api": 0}

    def answered(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = "api" if "/api/" in event["response"]["url"] else "console"
        encodings.add({k.lower(): v for k, v in event["response"]["headers"].items()}.get("content-encoding", "none"))

    def arrived(event: dict[str, Any]) -> None:
        sizes[kinds.get(event["requestId"], "console")] += int(event["encodedDataLength"])

    network.on("Network.responseReceived", answered)
    network.on("Network.loadingFinished", arrived)
    page.goto(url)
    page.wait_for_function(ROWS, timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)  # what is asked behind the first look
    page.close()
    kb = {name: round(size / 1000, 1) for name, size in sizes.items()}
    return {"kb": round(sum(sizes.values()) / 1000, 1), **kb, "requests": len(kinds), "encodings": sorted(encodings)}


def first_look(context: BrowserContext, url: str, ready: str) -> dict[str, float]:
    """A visit with an empty cache: when it was there and could be used, and what Lighthouse's score is made of."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.clearBrowserCache")
    page.goto(url)
    shown = float(page.evaluate(f"bench.until({ready})"))
    page.wait_for_timeout(1000)
    tasks = page.evaluate("bench.tasks")
    busy_until = max([start + length for start, length in tasks if start < shown] or [0])
    told = page.evaluate("({ largest: bench.largest ?? 0, shift: bench.shift ?? 0 })")
    page.close()
    return {
        "interactive_ms": round(max(shown, busy_until), 1),
        "lcp_ms": round(told["largest"], 1),
        "blocking_ms": round(sum(max(0, length - 50) for _, length in tasks), 1),
        "layout_shift": round(told["shift"], 4),
    }


def load_rows(page: Page, wanted: int) -> int:
    """Scroll to the end of what is loaded until so many rows are."""
    script = """async (wanted) => {
      const grid = document.querySelector(".grid"), height = () => grid.querySelector(".grid-body").offsetHeight;
      const row = grid.querySelector("[data-row]").offsetHeight;
      while (height() / row < wanted) {
        const before = height();
        grid.scrollTop = grid.scrollHeight;
        await bench.until(() => height() > before);
      }
      grid.scrollTop = 0;
      return Math.round(height() / row);
    }"""
    return int(page.evaluate(script, wanted))


def scroll(page: Page, frames: int = 300) -> list[float]:
    """Lengths of frames while somebody scrolls fast: 12 rows a frame."""
    script = """async (frames) => {
      const grid = document.querySelector(".grid"), found = [];
      const next = () => new Promise((done) => requestAnimationFrame(done));
      let last = await next();
      for (let n = 0; n < frames; n++) {
        grid.scrollTop += 400;
        const now = await next();
        found.push(now - last);
        last = now;
      }
      return found;
    }"""
    return [float(length) for length in page.evaluate(script, frames)]


TYPE = """(text) => {
  const box = document.querySelector("%s");
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def quick_search(page: Page, name: str) -> float:
    """From Enter in the search line to the painted rows that match; the filter before it is dropped."""
    page.evaluate("history.pushState(null, '', '/machines')")
    page.wait_for_timeout(1000)
    page.evaluate(TYPE % ".search-box input", name)
    page.wait_for_timeout(100)
    done = """(name) => {
      const row = document.querySelector('.grid-body [data-row="0"]');
      return row && row.textContent.includes(name);
    }"""
    return after(page, "() => document.querySelector('.search-box').requestSubmit()", done, name)
