"""The Docker Engine of a machine, spoken to through its SSH connection. No docker client is needed on either side."""

from autorke.drivers.docker.client import Docker, docker_over
from autorke.drivers.docker.errors import (
    DockerAbsent,
    DockerConflict,
    DockerNotFound,
    DockerOutcomeUnknown,
    DockerSocketDenied,
    DockerTimeout,
)

__all__ = [
    "Docker",
    "DockerAbsent",
    "DockerConflict",
    "DockerNotFound",
    "DockerOutcomeUnknown",
    "DockerSocketDenied",
    "DockerTimeout",
    "docker_over",
]
