"""A TPM 2.0 that answers two commands, by TPM 2.0 Library, Part 3: TPM2_NV_ReadPublic and TPM2_NV_Read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

AUTH_READ, OWNER_READ = 1 << 18, 1 << 17
NO_SUCH_HANDLE = 0x18B
NOT_AUTHORIZED = 0x149


def der(tag: int, *parts: bytes) -> bytes:
    """One value of DER."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes(2, "big")
    return bytes([tag, 0x82]) + length + content


PUBLIC_KEY = der(0x30, der(0x30, der(0x06, b"\x2a\x86\x48")), der(0x03, b"\0" + b"k" * 300))
CERTIFICATE = der(
    0x30,
    der(
        0x30,
        der(0xA0, der(0x02, b"\x02")),
        der(0x02, b"\x01"),
        der(0x30),
        der(0x30, b"issuer"),
        der(0x30),
        der(0x30),
        PUBLIC_KEY,
    ),
    der(0x30),
    der(0x03, b"\0" + b"s" * 256),
)
"""A certificate in the order of X.509, with nothing else in its parts."""


def tpm(
    places: Mapping[int, bytes], attributes: int = AUTH_READ, policy: bytes = b"", largest: int = 512
) -> Callable[[bytes], bytes]:
    """Answers of a TPM that holds certificates at these places."""

    def answer(message: bytes) -> bytes:
        tag, size, code = struct.unpack_from(">HII", message)
        assert size == len(message)
        if code == 0x169:
            assert tag == 0x8001
            (place,) = struct.unpack_from(">I", message, 10)
            if place not in places:
                return struct.pack(">HII", 0x8001, 10, NO_SUCH_HANDLE)
            public = struct.pack(">IHIH", place, 0x000B, attributes, len(policy)) + policy
            public += struct.pack(">H", len(places[place]))
            body = struct.pack(">H", len(public)) + public + struct.pack(">H", 34) + b"\0\x0b" + b"n" * 32
            return struct.pack(">HII", 0x8001, 10 + len(body), 0) + body
        assert (tag, code) == (0x8002, 0x14E)
        opener, place, sessions, session = struct.unpack_from(">IIII", message, 10)
        assert (sessions, session) == (9, 0x40000009)
        if opener != (place if attributes & AUTH_READ else 0x40000001):
            return struct.pack(">HII", 0x8001, 10, NOT_AUTHORIZED)
        wanted, start = struct.unpack_from(">HH", message, len(message) - 4)
        piece = places[place][start : start + min(wanted, largest)]
        body = struct.pack(">IH", 2 + len(piece), len(piece)) + piece + b"\0\0\x01\0\0"
        return struct.pack(">HII", 0x8002, 10 + len(body), 0) + body

    return answer
