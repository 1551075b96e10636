"""The way to a machine's docker.sock, and a clear word when there is none."""

from __future__ import annotations

from autorke.drivers.base import ByteStream, ForwardingRefused, Remote
from autorke.drivers.docker.errors import DockerAbsent, DockerSocketDenied


class DockerSocket:
    """Opens streams to the Docker socket of one machine.

    sshd forwards it; where it forbids that, `docker system dial-stdio` does, if the machine has docker's client.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._path = remote.target.docker_socket
        self._forbidden = False

    def open(self) -> ByteStream:
        """Raises DockerAbsent, DockerSocketDenied, ForwardingRefused."""
        if not self._forbidden:
            try:
                return self._remote.open_unix(self._path)
            except ForwardingRefused:
                self._examine()
                if not self._succeeds("sh", "-c", "command -v docker"):
                    raise
                self._forbidden = True
        return self._remote.open_command(["docker", "-H", f"unix://{self._path}", "system", "dial-stdio"])

    def _examine(self) -> None:
        """sshd refuses in the same words whatever is wrong, so the machine is asked what it is (rke.md §8)."""
        path, name = self._path, self._remote.target.name
        if not self._succeeds("test", "-e", path):
            raise DockerAbsent(name=name, reason=f"{path} does not exist")
        if not self._succeeds("test", "-S", path):
            raise DockerAbsent(name=name, reason=f"{path} is not a socket")
        if not (self._succeeds("test", "-r", path) and self._succeeds("test", "-w", path)):
            raise DockerSocketDenied(name=name, user=self._remote.target.user, socket=path)
        # The daemon may have bound it as /run/… or as /var/run/…, which are the same directory.
        if not self._succeeds("grep", "-qF", "-e", path.removeprefix("/var"), "/proc/net/unix"):
            raise DockerAbsent(name=name, reason=f"nobody listens on {path}")

    def _succeeds(self, *argv: str) -> bool:
        return self._remote.run(argv).ok
