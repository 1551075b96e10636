"""`python -m tests.e2e.pictures`: walk the tour and keep its pictures in docs/images/tour, for `./run tour`.

The browser writes PNG fast, not small: colours lose what no eye sees, and what is left is packed as tightly as it goes.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "images" / "tour"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
COARSER = bytes((value + 2) // 5 * 5 for value in range(256))
"""52 levels a channel, white and black among them: nearly flat shadows and edges of letters become flat."""


def _parts(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += size + 12


def _part(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]


def _row(kind: int, line: bytes, above: bytes, step: int) -> bytearray:
    """A row as it was before it was filtered."""
    row = bytearray(line)
    for at, value in enumerate(line):
        left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
        up = above[at]
        row[at] = (value + (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]) & 255
    return row


def smaller(png: bytes) -> bytes:
    """The same picture in fewer bytes; for the 8 bit colours that browsers write."""
    parts = list(_parts(png))
    head = parts[0][1]
    width, height, depth, colours, interlaced = *struct.unpack(">IIBB", head[:10]), head[12]
    if depth != 8 or colours not in (2, 6) or interlaced:
        return png
    step = 3 if colours == 2 else 4
    data, length = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT")), width * step
    above, rows = bytes(length), bytearray()
    for number in range(height):
        start = number * (length + 1)
        above = bytes(_row(data[start], data[start + 1 : start + 1 + length], above, step))
        coarse = above.translate(COARSER)
        rows += b"\0" + (coarse if step == 3 else bytes(v for at, v in enumerate(coarse) if at % 4 != 3))
    packed = zlib.compressobj(9, memLevel=9)
    body = packed.compress(bytes(rows)) + packed.flush()
    made = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    found = SIGNATURE + _part(b"IHDR", made) + _part(b"IDAT", body) + _part(b"IEND", b"")
    return min(png, found, key=len)


def main() -> int:
    os.environ["AUTORKE_SCREENSHOTS"] = str(PICTURES)
    status = int(pytest.main([str(ROOT / "tests" / "e2e" / "test_tour.py"), "-q", *sys.argv[1:]]))
    for path in sorted(PICTURES.glob("*.png")):
        path.write_bytes(smaller(path.read_bytes()))
    return status


if __name__ == "__main__":
    sys.exit(main())
