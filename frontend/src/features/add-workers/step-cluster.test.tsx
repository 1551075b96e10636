import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { expect, it, vi } from "vitest";
import { renderUi } from "../../test/render";
import { API, server } from "../../test/server";
import { emptyDraft } from "./draft";
import { ClusterStep } from "./step-cluster";

const cluster = (name: string, flat: boolean) => ({
  id: name,
  name,
  state: "active",
  kubernetes_version: "v1.24.17-rancher1-1",
  node_count: 3,
  network_plugin: "calico",
  flat_network: flat,
  gate_policy: {},
});

it("offers a cluster with a flat network only to be read, and says why", async () => {
  server.use(
    http.get(`${API}/clusters`, () =>
      HttpResponse.json({ items: [cluster("plain", false), cluster("flat", true)], next: null, total: null }),
    ),
  );
  const onChange = vi.fn();
  renderUi(<ClusterStep draft={emptyDraft("k")} onChange={onChange} />);
  const refused = await screen.findByRole<HTMLInputElement>("radio", { name: /^flat/ });
  expect(refused.disabled).toBe(true);
  expect(document.getElementById(refused.getAttribute("aria-describedby")!)?.textContent).toMatch(/扁平网络/);
  await userEvent.click(refused);
  expect(onChange).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole("radio", { name: /^plain/ }));
  expect(onChange).toHaveBeenCalledWith(expect.objectContaining({ cluster_id: "plain" }));
});
