"""`connect`: reach a machine, verify its pinned host key, log in."""

from __future__ import annotations

import paramiko

from autorke.drivers.base import AuthenticationRefused, Remote, SshTarget
from autorke.drivers.ssh.dialing import Limits, dial, handshake, unreachable
from autorke.drivers.ssh.hostkeys import pinned_key, verify
from autorke.drivers.ssh.keys import private_key
from autorke.drivers.ssh.remote import SshRemote

DEFAULT_LIMITS = Limits()


def connect(target: SshTarget, *, limits: Limits = DEFAULT_LIMITS, via: Remote | None = None) -> SshRemote:
    """An open connection to one machine. `via` is an open connection to the target's bastion, kept by its owner;
    without it the bastion is connected here and closed with the result.

    Raises Unreachable, HostKeyMissing, HostKeyMismatch, AuthenticationRefused, BadPrivateKey; for the bastion too.
    """
    pinned = pinned_key(target)
    key = private_key(target) if target.private_key else None
    own_bastion = connect(target.bastion, limits=limits) if target.bastion and via is None else None
    try:
        sock = dial(target, limits, via or own_bastion)
        transport = handshake(target, sock, limits, pinned.preference)
        try:
            verify(target, pinned, transport.get_remote_server_key())
            _log_in(target, transport, key, limits)
        except BaseException:
            transport.close()
            raise
    except BaseException:
        if own_bastion is not None:
            own_bastion.close()
        raise
    transport.set_keepalive(limits.keepalive)
    return SshRemote(target, transport, own_bastion)


def _log_in(target: SshTarget, transport: paramiko.Transport, key: paramiko.PKey | None, limits: Limits) -> None:
    """The key first, then the password; a machine may ask for both."""
    try:
        if key is not None:
            try:
                missing = transport.auth_publickey(target.user, key)
            except paramiko.AuthenticationException:
                if target.password is None or not transport.is_active():
                    raise
                missing = ["password"]
            if not missing:
                return
        if target.password is None:
            raise AuthenticationRefused(name=target.name, user=target.user)
        if transport.auth_password(target.user, target.password):
            raise AuthenticationRefused(name=target.name, user=target.user)
    except paramiko.AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise unreachable(target, f"no answer to the login within {limits.login:g} s") from error
        raise AuthenticationRefused(name=target.name, user=target.user) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise unreachable(target, "closed the connection during login") from error
