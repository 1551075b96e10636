"""Containers and the engine in the JSON that Docker Engine 20.10 (API 1.41) answers with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from autorke.sim.docker.engine import Container, Engine
from autorke.sim.machine.facts import Facts

ZERO_TIME = "0001-01-01T00:00:00Z"


def stamp(moment: float) -> str:
    """RFC 3339 with nanoseconds, as Go prints it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z") if moment else ZERO_TIME


def inspect(found: Container, facts: Facts) -> dict[str, Any]:
    """The answer of `GET /containers/<name>/json`."""
    body, argv, root_dir = found.body, found.argv, facts.docker.root_dir
    on_host = found.host_config.get("NetworkMode") == "host"
    return {
        "Id": found.id,
        "Created": stamp(found.created),
        "Path": argv[0] if argv else "",
        "Args": argv[1:],
        "State": _state(found),
        "Image": found.image.id,
        "LogPath": f"{root_dir}/containers/{found.id}/{found.id}-json.log" if found.started else "",
        "Name": f"/{found.name}",
        "RestartCount": found.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": _host_config(found),
        "Mounts": _mounts(found, root_dir),
        "Config": {
            "Hostname": body.get("Hostname") or (facts.hostname if on_host else found.id[:12]),
            "Domainname": "",
            "User": body.get("User", ""),
            "Tty": bool(body.get("Tty")),
            "OpenStdin": False,
            "StdinOnce": False,
            "Env": found.env or None,
            "Cmd": found.cmd,
            "Image": body["Image"],
            "Volumes": {volume: {} for volume in found.image.volumes} or None,
            "WorkingDir": "",
            "Entrypoint": found.entrypoint or None,
            "OnBuild": None,
            "Labels": dict(body.get("Labels") or {}),
        },
        "NetworkSettings": {"Networks": {str(found.host_config.get("NetworkMode") or "bridge"): {}}, "Ports": {}},
    }


def _state(found: Container) -> dict[str, Any]:
    return {
        "Status": found.state,
        "Running": found.state in {"running", "restarting"},
        "Paused": False,
        "Restarting": found.state == "restarting",
        "OOMKilled": False,
        "Dead": False,
        "Pid": int(found.id[:4], 16) + 1000 if found.state == "running" else 0,
        "ExitCode": found.exit_code,
        "Error": "",
        "StartedAt": stamp(found.started),
        "FinishedAt": stamp(found.finished),
    }


def _host_config(found: Container) -> dict[str, Any]:
    given = dict(found.host_config)
    policy = given.get("RestartPolicy") or {}
    security = given.get("SecurityOpt")
    if security is None and (given.get("Privileged") or given.get("PidMode") == "host"):
        security = ["label=disable"]
    return given | {
        "Binds": given.get("Binds"),
        "VolumesFrom": given.get("VolumesFrom"),
        "NetworkMode": given.get("NetworkMode") or "default",
        "PidMode": given.get("PidMode", ""),
        "IpcMode": "private",
        "Privileged": bool(given.get("Privileged")),
        "PortBindings": given.get("PortBindings"),
        "RestartPolicy": {"Name": policy.get("Name", ""), "MaximumRetryCount": policy.get("MaximumRetryCount", 0)},
        "SecurityOpt": security,
        "LogConfig": given.get("LogConfig") or {"Type": "json-file", "Config": {}},
        "AutoRemove": False,
        "Runtime": "runc",
    }


def _mounts(found: Container, root_dir: str) -> list[dict[str, Any]]:
    mounts = []
    for bind in found.host_config.get("Binds") or []:
        source, target, *mode = bind.split(":")
        words = mode[0].split(",") if mode else []
        propagation = next((word for word in words if word.lstrip("r") in {"shared", "slave", "private"}), "rprivate")
        mounts.append(
            {
                "Type": "bind",
                "Source": source,
                "Destination": target,
                "Mode": mode[0] if mode else "",
                "RW": "ro" not in words,
                "Propagation": propagation,
            }
        )
    for volume in found.image.volumes:
        name = found.id[::-1]
        mounts.append(
            {
                "Type": "volume",
                "Name": name,
                "Source": f"{root_dir}/volumes/{name}/_data",
                "Destination": volume,
                "Driver": "local",
                "Mode": "",
                "RW": True,
                "Propagation": "",
            }
        )
    return mounts


def summary(found: Container, facts: Facts) -> dict[str, Any]:
    """One entry of `GET /containers/json`."""
    full = inspect(found, facts)
    return {
        "Id": found.id,
        "Names": [full["Name"]],
        "Image": found.body["Image"],
        "ImageID": found.image.id,
        "Command": " ".join(found.argv),
        "Created": int(found.created),
        "Ports": [],
        "Labels": full["Config"]["Labels"],
        "State": found.state,
        "Status": _status(found),
        "HostConfig": {"NetworkMode": full["HostConfig"]["NetworkMode"]},
        "NetworkSettings": full["NetworkSettings"],
        "Mounts": full["Mounts"],
    }


def _status(found: Container) -> str:
    if found.state == "created":
        return "Created"
    if found.state == "running":
        return f"Up {max(1, int(time.time() - found.started))} seconds"
    if found.state == "restarting":
        return f"Restarting ({found.exit_code}) 1 second ago"
    return f"Exited ({found.exit_code}) {max(1, int(time.time() - found.finished))} seconds ago"


def info(engine: Engine, facts: Facts) -> dict[str, Any]:
    docker = facts.docker
    states = [found.state for found in engine.all()]
    return {
        "ID": engine.name,
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": 0,
        "ContainersStopped": len(states) - states.count("running"),
        "Images": len(engine.images),
        "Driver": docker.driver,
        "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
        "LoggingDriver": docker.log_driver,
        "CgroupDriver": docker.cgroup_driver,
        "CgroupVersion": docker.cgroup_version,
        "KernelVersion": facts.kernel,
        "OperatingSystem": facts.os.pretty_name,
        "OSVersion": facts.os.version_id,
        "OSType": docker.os_type,
        "Architecture": facts.arch,
        "NCPU": facts.cpus,
        "MemTotal": facts.memory_mb * 1024 * 1024,
        "DockerRootDir": docker.root_dir,
        "Name": facts.hostname,
        "Labels": [],
        "ServerVersion": docker.version,
        "LiveRestoreEnabled": docker.live_restore,
        "SecurityOptions": docker.security_options,
        "DefaultRuntime": "runc",
        "Runtimes": {"runc": {"path": "runc"}},
        "IPv4Forwarding": facts.sysctls.get("net.ipv4.ip_forward") == "1",
        "BridgeNfIptables": facts.sysctls.get("net.bridge.bridge-nf-call-iptables") == "1",
        "BridgeNfIp6tables": facts.sysctls.get("net.bridge.bridge-nf-call-ip6tables") == "1",
        "MemoryLimit": True,
        "SwapLimit": True,
        "SystemTime": stamp(time.time() + facts.time_skew),
        "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": []},
        "Swarm": {"LocalNodeState": "inactive"},
        "Warnings": None,
    }


def version(facts: Facts) -> dict[str, Any]:
    docker = facts.docker
    return {
        "Platform": {"Name": ""},
        "Components": [
            {
                "Name": "Engine",
                "Version": docker.version,
                "Details": {"ApiVersion": docker.api, "MinAPIVersion": docker.min_api},
            }
        ],
        "Version": docker.version,
        "ApiVersion": docker.api,
        "MinAPIVersion": docker.min_api,
        "GitCommit": "simulated",
        "GoVersion": "go1.19.8",
        "Os": docker.os_type,
        "Arch": "amd64",
        "KernelVersion": facts.kernel,
        "BuildTime": "2023-05-08T00:00:00.000000000+00:00",
    }
