import { describe, expect, it } from "vitest";
import type { CredentialOut, SourceDetail, UserOut } from "../../api/client";
import { me } from "../../test/server";
import { configOf, emptyForm, formOf } from "./cmdb-state";
import { FIELDS, KINDS, secretOf, shownParts } from "./credential-state";
import { changedPolicy, INHERIT } from "./gates-state";
import { sectionsOf } from "./sections";
import { hasRole, sortedBindings, whyNotAway } from "./user-state";

describe("sections", () => {
  it("shows only what the person may read", () => {
    expect(sectionsOf(me({ permissions: { "audit:read": null, "user:read": null } })).map((one) => one.name)).toEqual([
      "users",
      "audit",
    ]);
    expect(sectionsOf(me({ permissions: { "machine:read": null } }))).toEqual([]);
  });
});

describe("people", () => {
  const user = {
    id: "u1",
    bindings: [
      { id: "b1", role: "viewer", cluster_id: "c2" },
      { id: "b2", role: "approver", cluster_id: null },
    ],
  } as UserOut;

  it("lists roles that hold everywhere first", () => {
    expect(sortedBindings(user).map((one) => one.id)).toEqual(["b2", "b1"]);
  });
  it("knows that a role held everywhere is held on each cluster, and not the other way round", () => {
    expect(hasRole(user, "approver", "c1")).toBe(true);
    expect(hasRole(user, "viewer", "c2")).toBe(true);
    expect(hasRole(user, "viewer", null)).toBe(false);
  });
  it("lets nobody disable himself", () => {
    expect(whyNotAway(user, "u1")).toBe("self");
    expect(whyNotAway(user, "u2")).toBeNull();
  });
});

describe("credentials", () => {
  it("sends what the kind knows and nothing that was typed for another kind", () => {
    expect(secretOf("token", { token: "t", password: "left over" })).toEqual({ kind: "token", token: "t" });
  });
  it("leaves an empty optional field out", () => {
    const sent = secretOf("ssh_key", { user: "ops", private_key: "key", passphrase: "" });
    expect(sent).toEqual({ kind: "ssh_key", user: "ops", private_key: "key" });
  });
  it("asks for at least one hidden field of every kind", () => {
    for (const kind of KINDS) expect(FIELDS[kind].some((field) => field.secret && field.required)).toBe(true);
  });
  it("shows the public side only", () => {
    const credential = { public: { user: "ops", fingerprint: "SHA256:x", public_key: "ssh-ed25519 A" } };
    expect(shownParts(credential as unknown as CredentialOut)).toEqual(["ops", "SHA256:x"]);
  });
});

describe("gate policy", () => {
  it("sets, replaces and gives up the entry of one flow, and keeps the others", () => {
    expect(changedPolicy({ default: "strict" }, "add_workers", "express")).toEqual({
      default: "strict",
      add_workers: "express",
    });
    expect(changedPolicy({ default: "strict", add_workers: "express" }, "add_workers", INHERIT)).toEqual({
      default: "strict",
    });
  });
});

describe("CMDB source", () => {
  const source = {
    name: "main",
    credential_id: null,
    machine_credential_id: "m",
    machine_ssh_user: "ops",
    enabled: true,
    interval_seconds: 900,
    max_vanished_percent: 20,
    config: {
      source: { kind: "http", url: "https://cmdb.example.com" },
      mapping: {
        fields: {
          sn: { path: "serial", values: { a: "b" }, default: null, scale: 1 },
          memory_mb: { path: "mem", scale: 1024, default: null },
        },
        extra: { team: "owner.team" },
      },
    },
  } as unknown as SourceDetail;

  it("keeps through the form what the form does not show", () => {
    expect(configOf(formOf(source), source.config)).toEqual(source.config);
  });
  it("drops a field whose row was emptied", () => {
    const form = formOf(source);
    const rules = form.rules.map((rule) => (rule.field === "memory_mb" ? { ...rule, path: "" } : rule));
    expect(Object.keys(configOf({ ...form, rules }, source.config)!.mapping.fields)).toEqual(["sn"]);
  });
  it("refuses text that is no JSON object", () => {
    expect(configOf({ ...emptyForm(), source: "[]" })).toBeNull();
    expect(configOf({ ...emptyForm(), source: "{" })).toBeNull();
  });
  it("begins with the fields that must be mapped", () => {
    expect(emptyForm().rules.map((rule) => rule.field)).toEqual(["cmdb_id", "sn", "hostname", "address"]);
  });
});
