/** The form of a credential, without the page: which fields a kind asks for, and what is sent. */
import type { CredentialInWritable, CredentialOut } from "../../api/client";

export type Kind = CredentialOut["kind"];
export type Secret = CredentialInWritable["secret"];
export type FieldName = "user" | "username" | "url" | "private_key" | "passphrase" | "password" | "token" | "kubeconfig";
export type Field = { name: FieldName; secret: boolean; long: boolean; required: boolean };

const plain = (name: FieldName, required = true): Field => ({ name, secret: false, long: false, required });
const hidden = (name: FieldName, required = true): Field => ({ name, secret: true, long: false, required });
const text = (name: FieldName): Field => ({ name, secret: true, long: true, required: true });

export const FIELDS: Record<Kind, Field[]> = {
  ssh_key: [plain("user"), text("private_key"), hidden("passphrase", false)],
  ssh_password: [plain("user"), hidden("password")],
  kubeconfig: [text("kubeconfig")],
  registry: [plain("url"), plain("username"), hidden("password")],
  token: [hidden("token")],
  password: [plain("username", false), hidden("password")],
};

export const KINDS = Object.keys(FIELDS) as Kind[];

/** Only what the kind knows is sent; an empty optional field is left out. */
export function secretOf(kind: Kind, values: Partial<Record<FieldName, string>>): Secret {
  const filled = FIELDS[kind].filter((field) => field.required || values[field.name]);
  const pairs = filled.map((field) => [field.name, values[field.name] ?? ""]);
  return { kind, ...Object.fromEntries(pairs) } as Secret;
}

/** What is shown of a credential in one line, most telling first: who logs in, and the key's fingerprint. */
export function shownParts(credential: CredentialOut): string[] {
  const order = ["user", "username", "url", "server", "fingerprint"];
  return order.map((name) => credential.public[name]).filter((value): value is string => typeof value === "string" && value !== "");
}
