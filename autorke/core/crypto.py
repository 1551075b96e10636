"""Secrets at rest: AES-256-GCM envelopes under a key that only the operator holds (design §10).

Every secret has its own random data key (DEK), wrapped by the operator's key (KEK). Both layers are bound to the id and
version of their object, so that an envelope copied to another row, or an old version put back, does not open.

The key file holds one base64 key of 32 bytes a line: the first one seals, all of them open. To change the key, put the
new one on top, run the rotation of each slice that stores envelopes (`rewrap` each), then remove the old line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from autorke.core.errors import AutoRkeError, Text
from autorke.core.settings import Settings, get_settings

MAGIC = b"ARK1"
KEY_BYTES = 32
ID_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16
_WRAPPED = NONCE_BYTES + KEY_BYTES + TAG_BYTES
_HEADER = len(MAGIC) + ID_BYTES


class KeyMissing(AutoRkeError):
    status = 503
    code = "secret-key-missing"
    text = Text(
        zh="没有配置加密密钥：请设置 AUTORKE_SECRET_KEY_FILE 或 AUTORKE_SECRET_KEY",
        en="No encryption key: set AUTORKE_SECRET_KEY_FILE or AUTORKE_SECRET_KEY",
    )
    remedy = Text(
        zh="生成一个：head -c 32 /dev/urandom | base64，存入权限为 0600 的文件",
        en="Make one with `head -c 32 /dev/urandom | base64` and keep it in a file of mode 0600",
    )


class KeyInvalid(AutoRkeError):
    status = 503
    code = "secret-key-invalid"
    text = Text(
        zh="加密密钥第 {line} 行无效：应为 32 字节的 base64", en="Encryption key line {line}: not base64 of 32 bytes"
    )


class EnvelopeBroken(AutoRkeError):
    """Tampered with, of another object or version, or sealed under a key that is not configured."""

    code = "envelope-broken"
    text = Text(zh="保存的密文无法打开：{reason}", en="A stored secret does not open: {reason}")
    remedy = Text(
        zh="检查密钥文件是否含有当时的密钥，或重新录入", en="Check that the key file holds its key, or store it anew"
    )


@dataclass(frozen=True)
class KeyRing:
    """Key-encryption keys by their id; `active` seals, all of them open. Never printed."""

    active: bytes
    keys: dict[bytes, bytes] = field(repr=False)


def key_id(key: bytes) -> bytes:
    """Eight bytes that name a key without telling anything about it."""
    return hashlib.sha256(b"autorke key id" + key).digest()[:ID_BYTES]


def parse_ring(text: str) -> KeyRing:
    """Key ring from the lines of a key file, without blanks and `#` comments. Raises KeyMissing, KeyInvalid."""
    keys: dict[bytes, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key = base64.b64decode(line.strip(), validate=True)
        except ValueError as error:  # binascii.Error is one, non-ASCII text another
            raise KeyInvalid(line=number) from error
        if len(key) != KEY_BYTES:
            raise KeyInvalid(line=number)
        keys.setdefault(key_id(key), key)
    if not keys:
        raise KeyMissing()
    return KeyRing(active=next(iter(keys)), keys=keys)


def load_ring(settings: Settings | None = None) -> KeyRing:
    """The operator's keys from file or environment. There is no default key. Raises KeyMissing, KeyInvalid."""
    settings = settings or get_settings()
    if settings.secret_key_file is not None:
        try:
            return parse_ring(settings.secret_key_file.read_text())
        except OSError as error:
            raise KeyMissing() from error
    if settings.secret_key is not None:
        return parse_ring(settings.secret_key.get_secret_value())
    raise KeyMissing()


def new_key() -> str:
    """A fresh key in the form of one line of the key file."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _bound_to(object_id: UUID, version: int) -> bytes:
    return object_id.bytes + version.to_bytes(8, "big")


def _wrap(key: bytes, dek: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, dek, b"dek" + bound)


def seal(plaintext: bytes, *, object_id: UUID, version: int, ring: KeyRing | None = None) -> bytes:
    """An envelope for one version of one object: magic, key id, wrapped DEK, nonce, ciphertext with tag."""
    ring = ring or load_ring()
    bound, dek, nonce = _bound_to(object_id, version), AESGCM.generate_key(bit_length=256), secrets.token_bytes(12)
    wrapped = _wrap(ring.keys[ring.active], dek, bound)
    return MAGIC + ring.active + wrapped + nonce + AESGCM(dek).encrypt(nonce, plaintext, b"data" + bound)


def _unwrap(envelope: bytes, bound: bytes, ring: KeyRing) -> bytes:
    if len(envelope) < _HEADER + _WRAPPED + NONCE_BYTES + TAG_BYTES or not envelope.startswith(MAGIC):
        raise EnvelopeBroken(reason="not an envelope")
    kek = ring.keys.get(envelope[len(MAGIC) : _HEADER])
    if kek is None:
        raise EnvelopeBroken(reason="its key is not in the key file")
    wrapped = envelope[_HEADER : _HEADER + _WRAPPED]
    try:
        return AESGCM(kek).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"dek" + bound)
    except InvalidTag as error:
        raise EnvelopeBroken(reason="altered, or of another object or version") from error


def unseal(envelope: bytes, *, object_id: UUID, version: int, ring: KeyRing | None = None) -> bytes:
    """The plaintext. Raises EnvelopeBroken when anything about it is not as it was sealed."""
    bound = _bound_to(object_id, version)
    dek = _unwrap(envelope, bound, ring or load_ring())
    data = envelope[_HEADER + _WRAPPED :]
    try:
        return AESGCM(dek).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], b"data" + bound)
    except InvalidTag as error:
        raise EnvelopeBroken(reason="altered, or of another object or version") from error


def needs_rewrap(envelope: bytes, *, ring: KeyRing | None = None) -> bool:
    """True when the envelope is not under the active key."""
    return envelope[len(MAGIC) : _HEADER] != (ring or load_ring()).active


def rewrap(envelope: bytes, *, object_id: UUID, version: int, ring: KeyRing | None = None) -> bytes:
    """The same secret under the active key: only the data key is wrapped anew, the ciphertext stays as it is."""
    ring = ring or load_ring()
    bound = _bound_to(object_id, version)
    wrapped = _wrap(ring.keys[ring.active], _unwrap(envelope, bound, ring), bound)
    return MAGIC + ring.active + wrapped + envelope[_HEADER + _WRAPPED :]


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"autorke " + purpose.encode()).derive(key)


def sign(data: bytes, *, purpose: str, ring: KeyRing | None = None) -> bytes:
    """A 16-byte HMAC under a key derived for this purpose: for values that callers carry and must not alter."""
    ring = ring or load_ring()
    return hmac.digest(_derived(ring.keys[ring.active], purpose), data, "sha256")[:16]


def signed(data: bytes, signature: bytes, *, purpose: str, ring: KeyRing | None = None) -> bool:
    """True when `signature` was made by any key of the ring, so that a key change breaks nothing in flight."""
    ring = ring or load_ring()
    return any(
        hmac.compare_digest(hmac.digest(_derived(key, purpose), data, "sha256")[:16], signature)
        for key in ring.keys.values()
    )
