"""Values of Active Directory as Python's: SIDs, GUIDs, FILETIMEs, generalised times, numbers, names."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_GENERALIZED = re.compile(rb"\d{14}(\.\d+)?Z")
NEVER: Final = 0x7FFFFFFFFFFFFFFF
TICKS_A_DAY: Final = 864_000_000_000


def sid_text(raw: bytes) -> str:
    """``S-1-5-21-...`` of a binary SID (MS-DTYP 2.4.2.2); raises ValueError."""
    if len(raw) < 8 or raw[0] != 1 or len(raw) != 8 + 4 * raw[1]:
        raise ValueError(f"{len(raw)} bytes are no SID")
    authority = int.from_bytes(raw[2:8], "big")
    return "-".join(["S-1", str(authority), *(str(part) for part in struct.unpack(f"<{raw[1]}I", raw[8:]))])


def sid_bytes(text: str) -> bytes:
    """The binary form of ``S-1-5-21-...``; raises ValueError."""
    parts = text.split("-")
    if len(parts) < 3 or parts[:2] != ["S", "1"]:
        raise ValueError(f"{text!r} is no SID")
    numbers = [int(part) for part in parts[3:]]
    return bytes([1, len(numbers)]) + int(parts[2]).to_bytes(6, "big") + struct.pack(f"<{len(numbers)}I", *numbers)


def number(raw: bytes) -> int:
    """A decimal integer; raises ValueError."""
    return int(raw.decode("ascii"))


def flags(raw: bytes) -> int:
    """A decimal integer as the 32 bits that it stands for; AD writes those with the highest bit as negative."""
    return number(raw) & 0xFFFFFFFF


def filetime(raw: bytes) -> datetime | None:
    """A moment from 100 ns steps since 1601; None for 0 and for the largest, both "never". Raises ValueError."""
    ticks = number(raw)
    if ticks == 0 or ticks == NEVER:
        return None
    if ticks < 0:
        raise ValueError(f"{ticks} is no FILETIME")
    try:
        return EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError as error:
        raise ValueError(f"{ticks} is no FILETIME of our age") from error


def boolean(raw: bytes) -> bool:
    """TRUE or FALSE; raises ValueError."""
    if raw not in (b"TRUE", b"FALSE"):
        raise ValueError(f"{raw[:40]!r} is neither TRUE nor FALSE")
    return raw == b"TRUE"


def days(raw: bytes) -> int:
    """Whole days, rounded up, from 100 ns steps below zero; 0 for 0 and for the lowest, both "never"."""
    ticks = number(raw)
    if ticks > 0 or ticks < -NEVER - 1:
        raise ValueError(f"{ticks} is no length of time")
    return 0 if ticks == -NEVER - 1 else -(ticks // TICKS_A_DAY)


def generalized_time(raw: bytes) -> datetime:
    """A moment from ``20261120010000.0Z``; raises ValueError."""
    if not _GENERALIZED.fullmatch(raw):
        raise ValueError(f"{raw[:40]!r} is no time in UTC")
    parts = (int(raw[begin:end]) for begin, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)))
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def text(raw: bytes) -> str:
    """UTF-8 text; raises ValueError."""
    return raw.decode("utf-8")


def folded(dn: str) -> str:
    """A distinguished name in the form in which two spellings of it are compared."""
    return dn.casefold()


def own_name(dn: str) -> str:
    """The value of the first part of a distinguished name, unescaped: ``a,b`` of ``CN=a\\,b,DC=corp``."""
    own = dn[: len(dn) - len(parent(dn))].removesuffix(",") if parent(dn) else dn
    return re.sub(r"\\(.)", r"\1", own.partition("=")[2])


def parent(dn: str) -> str:
    """The name one level up; escaped commas stay. Empty for the topmost."""
    place = 0
    while (place := dn.find(",", place)) >= 0:
        slashes = len(dn[:place]) - len(dn[:place].rstrip("\\"))
        if slashes % 2 == 0:
            return dn[place + 1 :]
        place += 1
    return ""


def under(dn: str, unit: str) -> bool:
    """Whether a name is the unit itself or lies below it."""
    return folded(dn) == folded(unit) or folded(dn).endswith("," + folded(unit))


def within(dn: str, base: str) -> bool:
    """Whether a name stands in the partition of a domain; child domains and the configuration hang below it by name."""
    if not under(dn, base):
        return False
    rest = "," + folded(dn).removesuffix(folded(base))
    return ",dc=" not in rest and not rest.endswith((",cn=configuration,", ",cn=configuration"))


def dns_name(dn: str) -> str:
    """``corp.test`` of ``DC=corp,DC=test``."""
    parts = (part.partition("=") for part in dn.split(","))
    return ".".join(value for kind, _, value in parts if kind.strip().lower() == "dc").lower()
