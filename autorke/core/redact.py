"""Redaction at the source: registered secrets never leave this process in a log, an event, a plan or an error text.

A secret is masked in every form it may take in output: as it is, per line, base64 at its three alignments, URL-encoded
and JSON-escaped; a stream keeps back just the tail that may be the beginning of one (P15, engine.md §6).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"
MIN_LENGTH = 6  # shorter values ("true", "root") would mask ordinary words
WINDOW = 32  # of a longer form any run of this many characters is masked, wherever its output was wrapped or cut
GRAM = 4  # what is looked for first, at every third place: any MIN_LENGTH characters hold one that begins there
STRIDE = MIN_LENGTH - GRAM + 1
LONGEST_KEY = 16 * 1024  # a private key block that has not ended by then is none

Span = tuple[int, int]
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_CREDENTIALS = re.compile(
    r"(?i)authorization['\"]?\s*[:=]\s*['\"]?((?:(?:bearer|basic|digest|token)\s+)?[^\s'\",]+)",
)
_KEY_BEGINS = re.compile(r"-----BEGIN[A-Z ]*-*\Z")
_CREDENTIALS_BEGIN = re.compile(r"(?i)authorization[^\n]*\Z")
LONGEST_MARKER = len("authorization")
_MARKERS = frozenset(word[:length] for word in ("-----begin", "authorization") for length in range(1, len(word)))


def _forms(secret: str) -> Iterable[str]:
    """Every text under which the secret may show up."""
    lines = [line.strip() for line in secret.splitlines()]  # at every sign at which a log begins a new line
    for value in {secret.strip(), *lines}:
        escaped = json.dumps(value)[1:-1]
        yield from (value, escaped, json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
        yield escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")  # as Go writes JSON
        yield from (quote(value, safe="", errors="replace"), quote_plus(value, errors="replace"))
    for raw in {secret.encode(errors="replace"), secret.strip().encode(errors="replace")}:
        yield from _base64_forms(raw)


def _base64_forms(raw: bytes) -> Iterable[str]:
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # the characters that also carry bits of the neighbours differ with them: leave those out
        head = (0, 2, 3)[shift]
        tail = len(text) if (shift + len(raw)) % 3 == 0 else len(text) - 1
        last_lines = [text[len(text) // width * width : tail] for width in (64, 76)] if shift == 0 else []
        for form in [text[head:tail], *last_lines]:
            yield form
            yield form.replace("+", "-").replace("/", "_")


def _needles(secret: str) -> set[str]:
    """What is looked for: a short form as it is, of a long one each window that does not begin with a line break."""
    forms = sorted(set(_forms(secret)), key=len, reverse=True)
    long: list[str] = []
    for form in forms:
        if len(form) > WINDOW and not any(form in longer for longer in long):  # else its windows are there already
            long.append(form)
    windows = {form[start : start + WINDOW] for form in long for start in range(len(form) - WINDOW + 1)}
    short = {form for form in forms if MIN_LENGTH <= len(form) <= WINDOW}
    return short | {window for window in windows if window[0] != "\n"}


class Secrets:
    """The secrets of one attempt. Thread-safe; register a value before it can appear anywhere."""

    def __init__(self) -> None:
        self._needles: dict[str, tuple[str, ...]] = {}  # by their first MIN_LENGTH characters
        self._beginnings: set[str] = set()  # shorter than GRAM
        self._grams: set[str] = set()  # of their heads
        self._added: set[str] = set()  # a step opens the same credential for each of its nodes
        self._lock = Lock()

    def add(self, secret: str | None) -> None:
        """Mask this value from now on; values shorter than six characters are left alone."""
        if not secret or len(secret.strip()) < MIN_LENGTH:
            return
        with self._lock:
            if secret in self._added:
                return
            found: dict[str, tuple[str, ...]] = {}
            for needle in _needles(secret):
                head = needle[:MIN_LENGTH]
                found[head] = (*found.get(head, ()), needle)
            new = found.keys() - self._needles.keys()
            for head in found.keys() - new:  # a new tuple: another thread may be reading the old one
                known = self._needles[head]
                found[head] = (*known, *(needle for needle in found[head] if needle not in known))
            for shift in range(STRIDE):
                self._grams.update([head[shift : shift + GRAM] for head in new])
            for length in range(1, GRAM):
                self._beginnings.update({head[:length] for head in new})
            self._needles.update(found)
            self._added.add(secret)

    def mask(self, text: str) -> str:
        """The text with every registered secret and every private key block replaced."""
        return _replace(text, self.spans(text))

    def mask_json(self, value: Any) -> Any:
        """The same for every string inside a JSON value, keys included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {self.mask(key): self.mask_json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_json(item) for item in value]
        return value

    def spans(self, text: str) -> list[Span]:
        """Where the text must be masked: disjoint, in order. What overlaps is found too, and masked as one."""
        found = [match.span() for match in _KEY_BLOCK.finditer(text)] if "-----BEGIN" in text else []
        if "authorization" in text.lower():
            found += [match.span(1) for match in _CREDENTIALS.finditer(text)]
        for at in self._heads(text):
            hits = [len(n) for n in self._needles[text[at : at + MIN_LENGTH]] if text.startswith(n, at)]
            if hits:
                found.append((at, at + max(hits)))
        return _union(found)

    def _heads(self, text: str) -> list[int]:
        """Where a needle may begin. Most lines hold none: every third place is enough to say so."""
        grams, needles = self._grams, self._needles
        near = [i for i in range(0, len(text) - GRAM + 1, STRIDE) if text[i : i + GRAM] in grams]
        places = [at for i in near for at in range(max(0, i - STRIDE + 1), i + 1)]
        return [at for at in places if text[at : at + MIN_LENGTH] in needles]

    def held_back(self, text: str) -> int:
        """Length of the longest end of `text` that may be the beginning of a secret, a key block or a header."""
        open_at = [len(text)]
        if "-----BEGIN" in text:
            blocks = [match.start() for match in _KEY_BLOCK.finditer(text) if not match.group(1)]
            begun = _KEY_BEGINS.search(text)
            open_at += blocks[-1:] + ([begun.start()] if begun else [])
        if "authorization" in text.lower():
            begun = _CREDENTIALS_BEGIN.search(text)
            open_at += [begun.start()] if begun else []
        waiting = len(text) - min(open_at)
        return max(waiting if waiting <= LONGEST_KEY else 0, self._begun(text))

    def _begun(self, text: str) -> int:
        end = text[-(WINDOW - 1) :]
        lower, needles = end.lower(), self._needles
        for at in range(len(end)):
            length = len(end) - at
            if length >= MIN_LENGTH:
                known = needles.get(end[at : at + MIN_LENGTH])
                if known and any(len(needle) > length and needle.startswith(end[at:]) for needle in known):
                    return length
            elif end[at : at + GRAM] in (self._beginnings if length < GRAM else self._grams):
                return length
            if length < LONGEST_MARKER and lower[at:] in _MARKERS:
                return length
        return 0


def _union(spans: Iterable[Span]) -> list[Span]:
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole


def _replace(text: str, spans: Sequence[Span]) -> str:
    out, place = [], 0
    for start, end in spans:
        out += [text[place:start], MASK]
        place = end
    return "".join([*out, text[place:]])


class Stream:
    """Masks one stream of text whatever its chunking. Call `flush` at its end (or when it may not wait longer)."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._tail = ""
        self._covered = 0  # so many characters of the tail belong to a secret whose mask has been shown

    def feed(self, text: str) -> str:
        """What may be shown now; an end that might be half a secret waits for the next call."""
        whole = self._tail + text
        return self._show(whole, len(whole) - self._secrets.held_back(whole))

    def flush(self) -> str:
        return self._show(self._tail, len(self._tail))

    def _show(self, whole: str, cut: int) -> str:
        spans = _union([*self._secrets.spans(whole), *([(0, self._covered)] if self._covered else [])])
        shown = _replace(whole[:cut], [(start, min(end, cut)) for start, end in spans if start < cut])
        if self._covered and shown:
            shown = shown.removeprefix(MASK)
        crossing = max((end - cut for start, end in spans if start < cut < end), default=0)
        self._covered = crossing if cut else self._covered
        self._tail = whole[cut:]
        return shown
