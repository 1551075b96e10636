import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";
import { Problem } from "../../api/problem";
import { expectAccessible } from "../../test/axe";
import { renderUi } from "../../test/render-ui";
import { ColumnMenu } from "./column-menu";
import { Grid } from "./grid";
import { initialState } from "./layout";
import type { GridColumn, GridProps, GridState } from "./types";

type Machine = { id: string; name: string; rack: string };

const rows: Machine[] = Array.from({ length: 500 }, (_, at) => ({ id: `m${at}`, name: `host-${at}`, rack: `r${at % 7}` }));
const drawn = vi.fn();
const columns: Array<GridColumn<Machine>> = [
  { id: "name", title: "Name", width: 160, pin: "left", group: "identity", sort: "name", always: true, render: (row) => (drawn(row.id), row.name) },
  { id: "rack", title: "Rack", width: 100, group: "place", sort: "rack", render: (row) => row.rack },
  { id: "room", title: "Room", width: 100, group: "place", render: () => "A" },
  ...Array.from({ length: 26 }, (_, at): GridColumn<Machine> => ({ id: `c${at}`, title: `C${at}`, width: 120, render: (row) => `${at}/${row.name}` })),
  { id: "menu", title: "Operations", width: 90, pin: "right", render: (row) => <button type="button" tabIndex={-1}>{`do ${row.name}`}</button> },
];
const groups = [{ id: "identity", title: "Identity" }, { id: "place", title: "Place" }];

type Extra = Partial<GridProps<Machine>>;

function Harness({ extra }: { extra: Extra }) {
  const [state, setState] = useState<GridState>(() => initialState(columns));
  const [sort, setSort] = useState<string | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const change = (ids: string[], on: boolean) =>
    setSelected((before) => new Set(on ? [...before, ...ids] : [...before].filter((id) => !ids.includes(id))));
  return (
    <>
      <output>{`${selected.size} ${sort ?? "-"} ${state.widths["name"] ?? ""}`}</output>
      <Grid<Machine>
        label="Machines"
        columns={columns}
        groups={groups}
        rows={rows}
        rowId={(row) => row.id}
        total={5000}
        state={state}
        onState={setState}
        sort={sort}
        onSort={setSort}
        selection={{
          isSelected: (id) => selected.has(id),
          all: selected.size === 0 ? "none" : selected.size === rows.length ? "all" : "some",
          onToggle: change,
          onToggleAll: (on) => change(rows.map((row) => row.id), on),
          reason: (row) => (row.id === "m3" ? "locked" : null),
        }}
        {...extra}
      />
    </>
  );
}

const show = (extra: Extra = {}) => renderUi(<Harness extra={extra} />);
const status = () => document.querySelector("output")!.textContent;
const focused = () => document.activeElement as HTMLElement;

describe("Grid", () => {
  it("draws what is near, and tells how much there is", () => {
    show();
    const grid = screen.getByRole("grid", { name: "Machines" });
    expect(grid.getAttribute("aria-rowcount")).toBe("5002");
    expect(grid.getAttribute("aria-colcount")).toBe("31");
    const shown = within(grid).getAllByRole("row");
    expect(shown.length).toBeGreaterThan(15);
    expect(shown.length).toBeLessThan(40);
    expect(shown[2]!.getAttribute("aria-rowindex")).toBe("3");
    expect(within(shown[2]!).getAllByRole("gridcell").length).toBeLessThan(20);
  });

  it("draws rows that stay only once while it scrolls", async () => {
    show();
    const grid = screen.getByRole("grid");
    drawn.mockClear();
    await act(async () => {
      grid.scrollTop = 320;
      fireEvent.scroll(grid);
    });
    await waitFor(() => expect(screen.getByText("host-28")).toBeTruthy());
    const again = drawn.mock.calls.map(([id]) => id as string).filter((id) => id === "m15");
    expect(again).toEqual([]);
  });

  it("is one tab stop and goes by arrows, into cells by Enter", async () => {
    const user = userEvent.setup();
    const onOpen = vi.fn();
    show({ onOpen });
    await user.tab();
    expect(focused().getAttribute("role")).toBe("columnheader");
    await user.keyboard("{ArrowDown}{ArrowRight}");
    expect(focused().textContent).toBe("host-0");
    await user.keyboard("{ArrowDown}{ArrowRight}");
    expect(focused().textContent).toBe("r1");
    await user.keyboard("{Enter}");
    expect(onOpen).toHaveBeenCalledWith(rows[1]);
    await user.keyboard("{Home}");
    expect(focused().dataset["column"]).toBe("0");
    await user.keyboard("{Control>}{ArrowUp}{/Control}");
    expect(focused().closest("[data-row]")!.getAttribute("data-row")).toBe("-2");
    expect(document.querySelectorAll('.grid [tabindex="0"]').length).toBe(1);
  });

  it("selects by Space, by click, and a range with Shift, but not what cannot be selected", async () => {
    const user = userEvent.setup();
    show();
    await user.tab();
    await user.keyboard("{ArrowDown} ");
    expect(status()).toMatch(/^1 /);
    const boxes = screen.getAllByRole("checkbox");
    expect((boxes[0] as HTMLInputElement).indeterminate).toBe(true);
    await user.click(boxes[2]!);
    await user.keyboard("{Shift>}");
    await user.click(boxes[6]!);
    await user.keyboard("{/Shift}");
    expect(status()).toMatch(/^5 /); // m0, then m1 to m5 without m3
    expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "locked" }).disabled).toBe(true);
    await user.click(boxes[0]!);
    expect(status()).toMatch(/^500 /);
  });

  it("sorts up, down and not at all, and says so", async () => {
    const user = userEvent.setup();
    show();
    const header = screen.getByRole("columnheader", { name: /Rack/ });
    expect(header.getAttribute("aria-sort")).toBe("none");
    const button = screen.getByRole("button", { name: "排序：Rack" });
    await user.click(button);
    expect(header.getAttribute("aria-sort")).toBe("ascending");
    await user.click(button);
    expect(header.getAttribute("aria-sort")).toBe("descending");
    await user.click(button);
    expect(header.getAttribute("aria-sort")).toBe("none");
  });

  it("folds a column group to its first column", async () => {
    show();
    expect(screen.getByRole("columnheader", { name: "Room" })).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "收起列组：Place" }));
    expect(screen.queryByRole("columnheader", { name: "Room" })).toBeNull();
    expect(screen.getByRole("button", { name: "展开列组：Place" }).getAttribute("aria-expanded")).toBe("false");
  });

  it("widens a column by keyboard", async () => {
    const user = userEvent.setup();
    show();
    await user.tab();
    await user.keyboard("{ArrowRight}{Shift>}{ArrowRight}{/Shift}");
    expect(status()).toMatch(/ 176$/);
  });

  it("asks for more when the end is near, once, and not for a first look at the beginning", async () => {
    const onEnd = vi.fn();
    const view = show({ onEnd, rows: rows.slice(0, 25) });
    await waitFor(() => expect(onEnd).toHaveBeenCalledTimes(1));
    view.unmount();
    onEnd.mockClear();
    show({ onEnd, rows: rows.slice(0, 60) });
    expect(onEnd).not.toHaveBeenCalled();
  });

  it("says that it loads, that there is nothing, that it failed", async () => {
    const view = show({ rows: [], loading: true });
    expect(screen.getByRole("status", { name: "正在加载数据" })).toBeTruthy();
    view.unmount();
    const empty = show({ rows: [] });
    expect(screen.getByText("没有数据")).toBeTruthy();
    empty.unmount();
    const onRetry = vi.fn();
    const words = { zh: "坏了", en: "broken" };
    const problem = new Problem({ type: "", title: "", status: 503, detail: "", code: "x", instance: "r9", cause: words, remedy: words });
    show({ rows: [], problem, onRetry });
    expect(screen.getByRole("alert").textContent).toContain("坏了");
    await userEvent.click(screen.getByRole("button", { name: "重试" }));
    expect(onRetry).toHaveBeenCalledTimes(1);
  });

  it("shows hostile text as text", () => {
    const hostile = [{ id: "x", name: "<img src=x onerror=alert(1)>\u202Egnp", rack: "r".repeat(10_000) }];
    show({ rows: hostile });
    expect(screen.getByText(hostile[0]!.name)).toBeTruthy();
    expect(document.querySelector("img[src=x]")).toBeNull();
  });

  it("is accessible", async () => {
    show();
    await expectAccessible(screen.getByRole("grid"));
  });
});

describe("ColumnMenu", () => {
  function Both() {
    const [state, setState] = useState<GridState>(() => initialState(columns));
    return (
      <>
        <ColumnMenu columns={columns} groups={groups} state={state} onState={setState} />
        <Grid<Machine> label="Machines" columns={columns} groups={groups} rows={rows} rowId={(row) => row.id} state={state} onState={setState} />
      </>
    );
  }

  it("hides, pins and resets columns, and sets the height of rows", async () => {
    const user = userEvent.setup();
    renderUi(<Both />);
    await user.click(screen.getByRole("button", { name: "列" }));
    await user.click(await screen.findByRole("checkbox", { name: "Rack" }));
    expect(screen.queryByRole("columnheader", { name: /Rack/ })).toBeNull();
    expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Name" }).disabled).toBe(true);
    await user.click(screen.getByRole("button", { name: "固定在左侧：Room" }));
    expect(screen.getByRole("columnheader", { name: "Room" }).className).toContain("grid-left");
    await user.click(screen.getByText("宽松"));
    expect(screen.getAllByRole("row")[3]!.style.height).toBe("40px");
    await user.click(screen.getByRole("button", { name: "恢复默认列" }));
    expect(screen.getByRole("columnheader", { name: /Rack/ })).toBeTruthy();
    expect(screen.getByRole("columnheader", { name: "Room" }).className).not.toContain("grid-left");
  });
});
