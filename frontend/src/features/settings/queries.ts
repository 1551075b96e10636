/** Every request of the settings. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  type BindingIn,
  bindRole,
  createCredential,
  createSource,
  createUser,
  type CredentialInWritable,
  deleteCredential,
  deleteUser,
  getSource,
  listAudit,
  listClusters,
  listCredentials,
  listFlows,
  listRoles,
  listRuns,
  listSources,
  listUsers,
  previewMapping,
  type PreviewIn,
  replaceSecret,
  type ReplaceInWritable,
  requestSync,
  setEngine,
  type SourceIn,
  type SourcePatch,
  type SwitchIn,
  unbindRole,
  updateCluster,
  updateSource,
  updateUser,
  type UserInWritable,
  type UserPatchWritable,
} from "../../api/client";

export const settingsKeys = {
  users: ["settings", "users"] as const,
  credentials: ["settings", "credentials"] as const,
  sources: ["cmdb", "sources"] as const,
  clusters: ["clusters", "policies"] as const,
  engine: ["engine"] as const,
};

type PageOf<Row> = { items: Row[]; next: string | null };

/** Every row of a list of people, credentials, sources or clusters: hundreds, so page after page is quick. */
async function every<Row>(page: (query: { limit: number; sort: string; cursor?: string }) => Promise<PageOf<Row>>) {
  const items: Row[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const found: PageOf<Row> = await page({ limit: 500, sort: "name", ...(cursor ? { cursor } : {}) });
    items.push(...found.items);
    cursor = found.next;
  }
  return { items };
}

export const usersQuery = queryOptions({
  queryKey: settingsKeys.users,
  queryFn: ({ signal }) => every((query) => listUsers({ query, signal })),
});

export const rolesQuery = queryOptions({
  queryKey: ["settings", "roles"],
  queryFn: ({ signal }) => listRoles({ signal }),
  staleTime: Infinity,
});

export const credentialsQuery = queryOptions({
  queryKey: settingsKeys.credentials,
  queryFn: ({ signal }) => every((query) => listCredentials({ query, signal })),
});

export const sourcesQuery = queryOptions({
  queryKey: settingsKeys.sources,
  queryFn: ({ signal }) => every((query) => listSources({ query, signal })),
});

export const sourceQuery = (id: string) =>
  queryOptions({
    queryKey: [...settingsKeys.sources, id],
    queryFn: ({ signal }) => getSource({ path: { source_id: id }, signal }),
  });

export const runsQuery = (id: string) =>
  queryOptions({
    queryKey: [...settingsKeys.sources, id, "runs"],
    queryFn: ({ signal }) => listRuns({ path: { source_id: id }, query: { limit: 20 }, signal }),
  });

export const policiesQuery = queryOptions({
  queryKey: settingsKeys.clusters,
  queryFn: ({ signal }) => every((query) => listClusters({ query, signal })),
});

export const flowsQuery = queryOptions({
  queryKey: ["settings", "flows"],
  queryFn: ({ signal }) => listFlows({ signal }),
  staleTime: Infinity,
});

export const auditQuery = (filter: string[]) =>
  infiniteQueryOptions({
    queryKey: ["settings", "audit", filter],
    queryFn: ({ pageParam, signal }) =>
      listAudit({ query: { limit: 100, filter, ...(pageParam ? { cursor: pageParam } : {}) }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });

export const addUser = (body: UserInWritable) => createUser({ body });
export const changeUser = (id: string, body: UserPatchWritable) => updateUser({ path: { user_id: id }, body });
export const removeUser = (id: string) => deleteUser({ path: { user_id: id } });
export const giveRole = (id: string, body: BindingIn) => bindRole({ path: { user_id: id }, body });
export const takeRole = (id: string, bindingId: string) =>
  unbindRole({ path: { user_id: id, binding_id: bindingId } });

export const addCredential = (body: CredentialInWritable) => createCredential({ body });
export const renewSecret = (id: string, body: ReplaceInWritable) =>
  replaceSecret({ path: { credential_id: id }, body });
export const removeCredential = (id: string) => deleteCredential({ path: { credential_id: id } });

export const addSource = (body: SourceIn) => createSource({ body });
export const changeSource = (id: string, body: SourcePatch) => updateSource({ path: { source_id: id }, body });
export const tryConfig = (body: PreviewIn) => previewMapping({ body });
export const startSync = (id: string, acceptDrop: boolean) =>
  requestSync({ path: { source_id: id }, body: { accept_drop: acceptDrop } });

export const setPolicy = (id: string, version: number, policy: Record<string, "strict" | "standard" | "express">) =>
  updateCluster({ path: { cluster_id: id }, body: { version, gate_policy: policy } });

export const turnSwitch = (body: SwitchIn) => setEngine({ body });
