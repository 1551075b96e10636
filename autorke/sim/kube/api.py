"""The Kubernetes HTTP API of a simulated cluster: paths, verbs, who may, faults."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from autorke.sim.faults import Fault
from autorke.sim.http import Cut, Handler, Request, Response, json_response, text_response
from autorke.sim.kube import calico, patch
from autorke.sim.kube.cluster import Cluster
from autorke.sim.kube.kinds import LEASES, NODES, PODS
from autorke.sim.kube.store import ApiError, Kind, Object

MAX_SECRET = 1024 * 1024
"""Bytes; the API refuses larger Secrets and ConfigMaps."""
READS = {"GET", "LIST", "WATCH"}


@dataclass(frozen=True)
class Identity:
    """Who speaks, from the client certificate: common name and organisations."""

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A request path taken apart."""

    kind: Kind
    namespace: str
    name: str
    subresource: str


def handler(cluster: Cluster, who: Identity | None) -> Handler:
    """What answers one connection, whose client certificate said `who`."""

    async def answer(request: Request) -> Response:
        try:
            return await _dispatch(cluster, who, request)
        except ApiError as error:
            return json_response(error.status(), error.code)

    return answer


async def _dispatch(cluster: Cluster, who: Identity | None, request: Request) -> Response:
    parts = [part for part in request.path.split("/") if part]
    fixed = _fixed(cluster, parts)
    if fixed is not None and request.method == "GET" and parts[:1] != ["apis"] and parts[:1] != ["api"]:
        await _faulty(cluster, "GET", parts[0], "")
        cluster.world.record.count(cluster.name, "kube_reads")
        return fixed
    if who is None:
        cluster.world.record.count(cluster.name, "kube_refused")
        raise ApiError(401, "Unauthorized", "Unauthorized")
    if fixed is not None and request.method == "GET":
        cluster.world.record.count(cluster.name, "kube_reads")
        return fixed
    place = _place(cluster, parts)
    verb = _verb(request, place)
    _authorise(cluster, who, verb, place)
    cluster.world.record.count(cluster.name, "kube_reads" if verb in READS else "kube_writes")
    fault = await _faulty(cluster, verb, place.kind.resource, place.name)
    response = _perform(cluster, verb, place, request)
    if verb not in READS:
        cluster.world.record.note(cluster.name, f"kube.{verb}", path=request.path, by=who.name)
    if fault is not None and fault.kind == "cut_after":
        raise Cut
    return response


def _verb(request: Request, place: Place) -> str:
    if request.method == "GET" and not place.name:
        return "WATCH" if request.flag("watch") else "LIST"
    return request.method


async def _faulty(cluster: Cluster, verb: str, resource: str, name: str) -> Fault | None:
    fault = cluster.world.faults.strike(cluster.names, "kube", verb, resource, name)
    if fault is None:
        return None
    if fault.kind == "hang":
        await fault.hold()
    elif fault.kind == "slow":
        await asyncio.sleep(fault.ms / 1000)
    elif fault.kind in {"fail", "refuse"}:
        reasons = {
            401: "Unauthorized",
            403: "Forbidden",
            409: "Conflict",
            429: "TooManyRequests",
            503: "ServiceUnavailable",
        }
        raise ApiError(fault.status, reasons.get(fault.status, "InternalError"), fault.text)
    elif fault.kind in {"cut", "garbage", "die"}:
        raise Cut
    return fault


def _fixed(cluster: Cluster, parts: Sequence[str]) -> Response | None:
    """Paths that are not objects: version, health, discovery."""
    if list(parts) == ["version"]:
        major, minor = cluster.versions.kubelet.removeprefix("v").split(".")[:2]
        return json_response(
            {"major": major, "minor": minor, "gitVersion": cluster.versions.kubelet, "platform": "linux/amd64"}
        )
    if len(parts) == 1 and parts[0] in {"healthz", "livez", "readyz"}:
        return _health(cluster, parts[0])
    if list(parts) == ["api"]:
        return json_response({"kind": "APIVersions", "versions": ["v1"]})
    if list(parts) == ["apis"]:
        groups = [_group(name, versions) for name, versions in cluster.catalogue.groups().items()]
        return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    if len(parts) == 2 and parts[0] == "apis" and parts[1] in cluster.catalogue.groups():
        return json_response(
            {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], cluster.catalogue.groups()[parts[1]])}
        )
    if (len(parts) == 2 and parts[0] == "api") or (len(parts) == 3 and parts[0] == "apis"):
        group, version = (parts[1], parts[2]) if len(parts) == 3 else ("", parts[1])
        kinds = [kind for kind in cluster.catalogue.kinds if kind.group == group and version in kind.versions]
        if kinds:
            entries = [
                {"name": k.resource, "singularName": "", "namespaced": k.namespaced, "kind": k.kind, "verbs": VERBS}
                for k in kinds
            ]
            group_version = f"{group}/{version}" if group else version
            return json_response(
                {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}
            )
    return None


def _health(cluster: Cluster, name: str) -> Response:
    checks = cluster.checks()
    lines = [f"[+]{check} ok" if fine else f"[-]{check} failed: reason withheld" for check, fine in checks.items()]
    fine = all(checks.values())
    said = "\n".join([*lines, f"{name} check {'passed' if fine else 'failed'}"])
    return text_response(said, 200 if fine else 500)


VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def _group(name: str, versions: list[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _place(cluster: Cluster, parts: Sequence[str]) -> Place:
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], list(parts[2:])
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], list(parts[3:])
    else:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    kind = cluster.catalogue.find(group, version, rest[0])
    name = rest[1] if len(rest) > 1 else ""
    return Place(kind, namespace, name, "/".join(rest[2:]))


def _authorise(cluster: Cluster, who: Identity, verb: str, place: Place) -> None:
    if "system:masters" in who.groups or ("system:nodes" in who.groups and verb in READS):
        return
    cluster.world.record.count(cluster.name, "kube_refused")
    scope = f' in the namespace "{place.namespace}"' if place.namespace else " at the cluster scope"
    raise ApiError(
        403,
        "Forbidden",
        f'{place.kind.title} is forbidden: User "{who.name}" cannot {verb.lower()} resource '
        f'"{place.kind.resource}" in API group "{place.kind.group}"{scope}',
    )


def _perform(cluster: Cluster, verb: str, place: Place, request: Request) -> Response:
    if verb == "LIST":
        return _list(cluster, place, request)
    if verb == "WATCH":
        since = int(request.query.get("resourceVersion") or cluster.store.version)
        seconds = float(request.query.get("timeoutSeconds") or 1800)
        return Response(200, _watch(cluster, place, since, seconds))
    if verb == "GET":
        return json_response(cluster.fresh(place.kind, _read(cluster, place)))
    if verb == "DELETE":
        return _delete(cluster, place)
    body = _body(request)
    if verb == "POST":
        if place.subresource == "eviction":
            return _evict(cluster, place)
        if place.subresource:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        made = cluster.store.create(place.kind, _checked(cluster, place.kind, body), place.namespace)
        return json_response(_job_done(cluster, place, made), 201)
    if verb == "PUT":
        return json_response(
            cluster.store.replace(place.kind, place.name, _checked(cluster, place.kind, body), place.namespace)
        )
    if verb == "PATCH":
        old = cluster.store.get(place.kind, place.name, place.namespace)
        changed = patch.apply(request.headers.get("content-type", ""), old, body)
        return json_response(
            cluster.store.replace(place.kind, place.name, _checked(cluster, place.kind, changed), place.namespace)
        )
    raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _body(request: Request) -> Any:
    try:
        return request.json()
    except ValueError as error:
        raise ApiError(400, "BadRequest", f"couldn't get version/kind; json parse error: {error}") from error


def _checked(cluster: Cluster, kind: Kind, body: Any) -> Object:
    if not isinstance(body, dict):
        raise ApiError(400, "BadRequest", "the object is not an object")
    out: Object = dict(body)
    if kind.kind == "Secret" and out.get("stringData"):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in out.pop("stringData").items()}
        out["data"] = {**(out.get("data") or {}), **encoded}
    if (
        kind.kind in {"Secret", "ConfigMap"}
        and sum(len(str(value)) for value in (out.get("data") or {}).values()) > MAX_SECRET * 4 / 3
    ):
        raise ApiError(422, "Invalid", f"{kind.kind} is invalid: data: Too long: must have at most {MAX_SECRET} bytes")
    if kind.resource in calico.FIELDS:
        return calico.prune(kind.resource, out, cluster.versions.calico)
    return out


def _read(cluster: Cluster, place: Place) -> Object:
    if place.kind is LEASES:
        cluster.renew_leases()
    if place.kind.resource == "componentstatuses":
        return next(
            (obj for obj in _components(cluster) if obj["metadata"]["name"] == place.name), None
        ) or cluster.store.get(place.kind, place.name)
    return cluster.store.get(place.kind, place.name, place.namespace)


def _components(cluster: Cluster) -> list[Object]:
    names = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler", "etcd-0": "etcd"}
    out = []
    for name, service in names.items():
        fine = any(host.healthy(service) for host in cluster.world.hosts.values() if host in cluster.masters)
        status = {
            "type": "Healthy",
            "status": "True" if fine else "False",
            "message": "ok" if fine else "connection refused",
        }
        out.append({"metadata": {"name": name}, "conditions": [status], "kind": "ComponentStatus", "apiVersion": "v1"})
    return out


def _list(cluster: Cluster, place: Place, request: Request) -> Response:
    store, kind = cluster.store, place.kind
    if kind.resource == "componentstatuses":
        found = _components(cluster)
    else:
        if kind is LEASES:
            cluster.renew_leases()
        found = store.select(
            kind, place.namespace, request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")
        )
    start = _continued(request.query.get("continue", ""))
    limit = int(request.query.get("limit") or 0)
    page = found[start : start + limit] if limit else found[start:]
    meta: Object = {"resourceVersion": str(store.version)}
    if limit and start + limit < len(found):
        meta["continue"] = base64.urlsafe_b64encode(str(start + limit).encode()).decode()
        meta["remainingItemCount"] = len(found) - start - limit
    version = f"{kind.group}/{kind.versions[0]}" if kind.group else kind.versions[0]
    items = [cluster.fresh(kind, obj) for obj in page]
    return json_response({"kind": f"{kind.kind}List", "apiVersion": version, "metadata": meta, "items": items})


def _continued(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError as error:
        raise ApiError(410, "Expired", "The provided continue parameter is too old") from error


async def _watch(cluster: Cluster, place: Place, since: int, seconds: float) -> AsyncIterator[bytes]:
    past, queue = cluster.store.watch(place.kind, since)
    try:
        for entry in past:
            yield json.dumps(entry).encode() + b"\n"
        async with asyncio.timeout(seconds):
            while True:
                yield json.dumps(await queue.get()).encode() + b"\n"
    except TimeoutError:
        return
    finally:
        cluster.store.unwatch(place.kind, queue)


def _delete(cluster: Cluster, place: Place) -> Response:
    if not place.name:
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    gone = cluster.store.delete(place.kind, place.name, place.namespace)
    if place.kind is NODES:
        cluster.node_deleted(place.name)
    if place.kind is PODS:
        return json_response(gone)
    details = {"name": place.name, "kind": place.kind.resource, "uid": gone["metadata"]["uid"]}
    return json_response(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )


def _evict(cluster: Cluster, place: Place) -> Response:
    cluster.store.delete(PODS, place.name, place.namespace)
    return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


def _job_done(cluster: Cluster, place: Place, made: Object) -> Object:
    """Add-on jobs complete at once: what they deploy is not simulated."""
    if place.kind.resource != "jobs":
        return made
    status = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    return cluster.store.replace(place.kind, made["metadata"]["name"], made | {"status": status}, place.namespace)
