"""Envelopes open for their own object and version, under a configured key, unaltered; never otherwise."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.core import crypto
from autorke.core.crypto import EnvelopeBroken, KeyInvalid, KeyMissing
from autorke.core.settings import Settings

OBJECT = UUID("0190a000-0000-7000-8000-000000000001")
OTHER = UUID("0190a000-0000-7000-8000-000000000002")
RING = crypto.parse_ring(crypto.new_key())


@given(st.binary(max_size=5000), st.integers(0, 2**40))
def test_what_is_sealed_comes_back(plaintext: bytes, version: int) -> None:
    envelope = crypto.seal(plaintext, object_id=OBJECT, version=version, ring=RING)
    assert crypto.unseal(envelope, object_id=OBJECT, version=version, ring=RING) == plaintext


def test_the_secret_is_not_in_the_envelope_and_two_envelopes_differ() -> None:
    first, second = (crypto.seal(b"hunter2hunter2", object_id=OBJECT, version=1, ring=RING) for _ in range(2))
    assert b"hunter2" not in first
    assert first != second


def test_an_envelope_of_another_object_or_version_does_not_open() -> None:
    envelope = crypto.seal(b"x", object_id=OBJECT, version=2, ring=RING)
    for object_id, version in ((OTHER, 2), (OBJECT, 1), (OBJECT, 3)):
        with pytest.raises(EnvelopeBroken):
            crypto.unseal(envelope, object_id=object_id, version=version, ring=RING)


def test_every_altered_byte_and_every_truncation_is_noticed() -> None:
    envelope = crypto.seal(b"secret", object_id=OBJECT, version=1, ring=RING)
    for index in range(len(envelope)):
        altered = envelope[:index] + bytes([envelope[index] ^ 1]) + envelope[index + 1 :]
        for broken in (altered, envelope[:index]):
            with pytest.raises(EnvelopeBroken):
                crypto.unseal(broken, object_id=OBJECT, version=1, ring=RING)


def test_a_new_key_on_top_seals_and_the_old_one_still_opens_until_it_is_removed() -> None:
    old, new = crypto.new_key(), crypto.new_key()
    before = crypto.seal(b"secret", object_id=OBJECT, version=1, ring=crypto.parse_ring(old))
    both = crypto.parse_ring(f"# keys\n{new}\n\n{old}\n")
    assert crypto.needs_rewrap(before, ring=both)
    after = crypto.rewrap(before, object_id=OBJECT, version=1, ring=both)
    assert not crypto.needs_rewrap(after, ring=both)
    assert crypto.unseal(before, object_id=OBJECT, version=1, ring=both) == b"secret"
    assert crypto.unseal(after, object_id=OBJECT, version=1, ring=crypto.parse_ring(new)) == b"secret"
    with pytest.raises(EnvelopeBroken, match="not in the key file"):
        crypto.unseal(before, object_id=OBJECT, version=1, ring=crypto.parse_ring(new))


def test_there_is_no_default_key() -> None:
    with pytest.raises(KeyMissing, match="AUTORKE_SECRET_KEY_FILE"):
        crypto.load_ring(Settings(secret_key=None, secret_key_file=None))


def test_a_key_file_wins_over_the_variable(tmp_path: Path) -> None:
    path, key = tmp_path / "key", crypto.new_key()
    path.write_text(key)
    ring = crypto.load_ring(Settings(secret_key_file=path, secret_key=crypto.new_key()))  # type: ignore[arg-type]
    assert ring.active == crypto.key_id(base64.b64decode(key))
    with pytest.raises(KeyMissing):
        crypto.load_ring(Settings(secret_key_file=tmp_path / "absent"))


_KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("text", ["hunter2!", base64.b64encode(b"short").decode(), f"{_KEY}\nä"])
def test_a_bad_key_line_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(KeyInvalid) as caught:
        crypto.parse_ring(text)
    assert str(len(text.splitlines())) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_empty_key_file_is_a_missing_key() -> None:
    with pytest.raises(KeyMissing):
        crypto.parse_ring("# nothing yet\n\n")


def test_keys_are_not_printed() -> None:
    key = crypto.new_key()
    assert base64.b64decode(key) not in repr(crypto.parse_ring(key)).encode()
    assert repr(base64.b64decode(key)) not in repr(crypto.parse_ring(key))


def test_signatures_belong_to_purpose_and_data_and_survive_a_key_change() -> None:
    old, new = crypto.new_key(), crypto.new_key()
    before = crypto.sign(b"data", purpose="a", ring=crypto.parse_ring(old))
    both = crypto.parse_ring(f"{new}\n{old}")
    assert crypto.signed(b"data", before, purpose="a", ring=both)
    assert not crypto.signed(b"data", before, purpose="b", ring=both)
    assert not crypto.signed(b"dat", before, purpose="a", ring=both)
    assert not crypto.signed(b"data", b"", purpose="a", ring=both)
    assert not crypto.signed(b"data", before, purpose="a", ring=crypto.parse_ring(new))
