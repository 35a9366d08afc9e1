"""Self-relative security descriptors (MS-DTYP 2.4.6): owner and the entries of the DACL."""

from __future__ import annotations

from dataclasses import dataclass

_ALLOW = {0x00, 0x05}
_DENY = {0x01, 0x06, 0x0A, 0x0C}
_CONDITIONAL_ALLOW = {0x09, 0x0B}
_WITH_GUIDS = {0x05, 0x06, 0x0B, 0x0C}
INHERIT_ONLY = 0x08


@dataclass(frozen=True)
class Ace:
    """One entry that allows or denies; ``guid`` limits it to an attribute, a property set, a class or a right."""

    deny: bool
    mask: int
    sid: bytes
    guid: bytes | None = None
    inherit_only: bool = False


@dataclass(frozen=True)
class Descriptor:
    """Owner and DACL; ``dacl`` None means that there is none, which lets everybody do everything."""

    owner: bytes | None
    dacl: tuple[Ace, ...] | None


def parse(raw: bytes) -> Descriptor:
    """The descriptor; raises ValueError where the bytes are no whole one.

    An allowing entry that carries a condition is left out, a denying one is taken to hold, so that nothing is taken
    for readable that might not be.
    """
    if len(raw) < 20 or raw[0] != 1:
        raise ValueError("no security descriptor")
    control = int.from_bytes(raw[2:4], "little")
    owner_at = int.from_bytes(raw[4:8], "little")
    dacl_at = int.from_bytes(raw[16:20], "little")
    owner = _sid(raw, owner_at) if owner_at else None
    if not control & 0x0004 or not dacl_at:
        return Descriptor(owner, None)
    size = int.from_bytes(raw[dacl_at + 2 : dacl_at + 4], "little")
    count = int.from_bytes(raw[dacl_at + 4 : dacl_at + 6], "little")
    end = dacl_at + size
    if size < 8 or end > len(raw):
        raise ValueError("the DACL is cut off")
    aces = []
    at = dacl_at + 8
    for _ in range(count):
        length = int.from_bytes(raw[at + 2 : at + 4], "little")
        if length < 8 or at + length > end:
            raise ValueError("an entry of the DACL is cut off")
        ace = _ace(raw[at : at + length])
        if ace is not None:
            aces.append(ace)
        at += length
    return Descriptor(owner, tuple(aces))


def _ace(raw: bytes) -> Ace | None:
    kind = raw[0]
    if kind in _CONDITIONAL_ALLOW or kind not in _ALLOW | _DENY:
        return None
    mask = int.from_bytes(raw[4:8], "little")
    at = 8
    guid = None
    if kind in _WITH_GUIDS:
        present = int.from_bytes(raw[8:12], "little")
        at = 12
        if present & 1:
            guid = raw[at : at + 16]
            at += 16
        if present & 2:
            at += 16
    return Ace(kind in _DENY, mask, _sid(raw, at), guid, bool(raw[1] & INHERIT_ONLY))


def _sid(raw: bytes, at: int) -> bytes:
    if at + 8 > len(raw) or raw[at] != 1:
        raise ValueError("no SID where one should be")
    end = at + 8 + 4 * raw[at + 1]
    if end > len(raw):
        raise ValueError("a SID is cut off")
    return raw[at:end]
