"""The three formats in which Docker streams: JSON messages, log frames, and versions to compare."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

_FRAME_HEADER = 8


def json_lines(body: bytes) -> list[dict[str, Any]]:
    """Progress of a pull or load, or events: one JSON object after another, with or without newlines between."""
    text, decoder, found, at = body.decode(errors="replace"), json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(value)
    return [value for value in found if isinstance(value, dict)]


def failure_in(messages: list[dict[str, Any]]) -> str | None:
    """Docker answers 200 to a pull and tells of its failure in the stream."""
    for message in messages:
        detail = message.get("errorDetail")
        if isinstance(detail, dict) and detail.get("message"):
            return str(detail["message"])
        if message.get("error"):
            return str(message["error"])
    return None


def log_text(body: bytes) -> str:
    """Logs of a container: frames of (stream, 0, 0, 0, length, text), or the bare text of one with a terminal."""
    text, at = bytearray(), 0
    while at < len(body):
        header = body[at : at + _FRAME_HEADER]
        if len(header) < _FRAME_HEADER or header[0] > 2 or header[1:4] != b"\0\0\0":
            return body.decode(errors="replace")
        size = int.from_bytes(header[4:], "big")
        text += body[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        at += _FRAME_HEADER + size
    return text.decode(errors="replace")


def registry_auth(auth: Mapping[str, str]) -> str:
    """The header X-Registry-Auth: base64url of a JSON object with username, password, serveraddress."""
    return base64.urlsafe_b64encode(json.dumps(dict(auth)).encode()).decode()


def split_image(name: str) -> tuple[str, str]:
    """`registry:5000/a/b:tag` → (repository, tag or digest); no tag means latest, as with `docker pull`."""
    repository, at, digest = name.partition("@")
    if at:
        return repository, digest
    head, slash, last = name.rpartition("/")
    image, _, tag = last.partition(":")
    return head + slash + image, tag or "latest"


def version_tuple(text: str) -> tuple[int, int]:
    """`1.41` → (1, 41). Raises ValueError."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)
