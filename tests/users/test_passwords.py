from __future__ import annotations

from argon2 import PasswordHasher

from autorke.users import passwords


def test_argon2id_with_a_salt_of_its_own() -> None:
    first, second = passwords.hash_password("hunter2"), passwords.hash_password("hunter2")
    assert first.startswith("$argon2id$")
    assert first != second
    assert passwords.verify(first, "hunter2")
    assert not passwords.verify(first, "hunter3")
    assert not passwords.outdated(first)


def test_no_hash_never_fits() -> None:
    assert not passwords.verify(None, "")
    assert not passwords.verify("not a hash", "x")


def test_a_weaker_hash_is_outdated() -> None:
    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=8192).hash("hunter2"))
