"""Machines over SSH: one pinned, authenticated connection per machine, with everything a driver needs on top of it.

`connect(target)` opens a connection, `ConnectionPool` keeps one per machine for the length of a ticket step, and
`scan_host_key` learns a key when an admin pins a machine. No agent and no file of the local user is ever consulted.
"""

from autorke.drivers.ssh.connecting import connect
from autorke.drivers.ssh.dialing import Limits
from autorke.drivers.ssh.errors import (
    BadArgument,
    BadPrivateKey,
    CommandEnded,
    ConnectionLost,
    HostKeyUnreadable,
    RemoteCommandFailed,
)
from autorke.drivers.ssh.hostkeys import fingerprint, scan_host_key
from autorke.drivers.ssh.pool import ConnectionPool
from autorke.drivers.ssh.remote import SshRemote

__all__ = [
    "BadArgument",
    "BadPrivateKey",
    "CommandEnded",
    "ConnectionLost",
    "ConnectionPool",
    "HostKeyUnreadable",
    "Limits",
    "RemoteCommandFailed",
    "SshRemote",
    "connect",
    "fingerprint",
    "scan_host_key",
]
