"""Password hashes: argon2id with the library's RFC 9106 profile (about 0.1 s and 64 MiB a hash)."""

from __future__ import annotations

import os
import secrets
from functools import lru_cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 256

_hasher = PasswordHasher()
# A flood of sign-ins must not take 64 MiB per request thread.
_slots = BoundedSemaphore(os.cpu_count() or 2)


def hash_password(password: str) -> str:
    """The encoded argon2id hash."""
    with _slots:
        return _hasher.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def verify(password_hash: str | None, password: str) -> bool:
    """True when it fits. Without a hash the same work is done in vain, so that time tells nothing about names."""
    with _slots:
        try:
            return _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(password_hash: str) -> bool:
    """True when it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
