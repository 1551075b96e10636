/** Every request of the cluster pages. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  type ClusterIn,
  compareRevisions,
  getCluster,
  getClusterOverview,
  getClusterTopology,
  getRevision,
  importCluster,
  listClusters,
  listLocks,
  listNodes,
  listRevisions,
  releaseLock,
  verifyCluster,
} from "../../api/client";

export type RevisionKind = "config" | "state";

export const clustersQuery = queryOptions({
  queryKey: ["clusters", "list"],
  queryFn: ({ signal }) => listClusters({ query: { limit: 500, sort: "name" }, signal }),
});

const byId = <Answer,>(name: string, ask: (options: { path: { cluster_id: string }; signal: AbortSignal }) => Promise<Answer>) =>
  (id: string) =>
    queryOptions({
      queryKey: ["clusters", name, id],
      queryFn: ({ signal }) => ask({ path: { cluster_id: id }, signal }),
    });

export const clusterQuery = byId("one", getCluster);
export const overviewQuery = byId("overview", getClusterOverview);
export const topologyQuery = byId("topology", getClusterTopology);

export const nodesQuery = (id: string, sort: string) =>
  infiniteQueryOptions({
    queryKey: ["clusters", "nodes", id, sort],
    queryFn: ({ pageParam, signal }) =>
      listNodes({ path: { cluster_id: id }, query: { limit: 200, sort, ...(pageParam ? { cursor: pageParam } : {}) }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: (before) => before,
  });

export const revisionsQuery = (id: string, kind: RevisionKind) =>
  queryOptions({
    queryKey: ["clusters", "revisions", id, kind],
    queryFn: ({ signal }) => listRevisions({ path: { cluster_id: id, kind }, query: { limit: 100 }, signal }),
  });

/** Text of a revision with its secrets masked; a revision never changes. */
export const revisionQuery = (id: string, kind: RevisionKind, number: number) =>
  queryOptions({
    queryKey: ["revision", id, kind, number],
    queryFn: ({ signal }) => getRevision({ path: { cluster_id: id, kind, number }, signal }),
    staleTime: Infinity,
  });

export const comparisonQuery = (id: string, kind: RevisionKind, before: number, after: number) =>
  queryOptions({
    queryKey: ["revision", id, kind, before, after],
    queryFn: ({ signal }) => compareRevisions({ path: { cluster_id: id, kind }, query: { before, after }, signal }),
    staleTime: Infinity,
  });

export const locksQuery = queryOptions({
  queryKey: ["clusters", "locks"],
  queryFn: ({ signal }) => listLocks({ query: { limit: 500 }, signal }),
});

export const bringIn = (body: ClusterIn) => importCluster({ body });
export const verify = (id: string) => verifyCluster({ path: { cluster_id: id } });
export const release = (kind: string, key: string, reason: string) => releaseLock({ path: { kind, key }, body: { reason } });
export const downloadUrl = (id: string, kind: RevisionKind, number: number) =>
  `/api/v1/clusters/${id}/revisions/${kind}/${number}/file`;
