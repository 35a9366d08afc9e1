"""Copies of block volumes: whether they are encrypted too, and whether everybody may restore one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from collectors.aws.look import Look, text
from collectors.aws.posture_operations import SNAPSHOTS
from scanner.errors import Malformed, ReadError
from scanner.model import GapWhy, Record


@dataclass(frozen=True)
class Copies:
    """What the snapshots of a region say of its volumes."""

    encrypted: Mapping[str, bool]
    """Whether all copies of a volume are encrypted; a volume that is not here has none."""
    shared: frozenset[str]
    """Volumes of which everybody may restore a copy."""
    strays: bool
    """Everybody may restore a copy of a volume that is not there: deleted, or of a copy of a copy."""

    def public(self, volume: str) -> bool | None:
        """Whether everybody may restore a copy of the volume; None where one of a volume not named may be its."""
        return True if volume in self.shared else (None if self.strays else False)


def of_region(look: Look, region: str, volumes: Set[str]) -> Iterator[Record | Copies]:
    """What the snapshots of a region say, if they could be had; ``volumes`` are the ids of those that exist."""
    encrypted: dict[str, bool] = {}
    try:
        for one in look.ask(SNAPSHOTS, region)["Snapshots"]:
            name, flag = text(one, "VolumeId"), one.get("Encrypted")
            if not isinstance(flag, bool):
                raise Malformed("a snapshot does not say whether it is encrypted")
            encrypted[name] = encrypted.get(name, True) and flag
        shared: set[str] = set()
        if encrypted:
            public = look.ask(SNAPSHOTS, region, RestorableByUserIds=["all"])["Snapshots"]
            shared = {text(one, "VolumeId") for one in public}
    except ReadError as error:
        yield from look.lost(SNAPSHOTS, error, region=region)
        return
    yield Copies(encrypted, frozenset(shared & volumes), bool(shared - volumes))


def unsaid(look: Look, copies: Copies, asset: str, volume: str) -> Iterator[Record]:
    """Gaps of one volume for what its snapshots leave open."""
    if volume not in copies.encrypted:
        detail = "it has no snapshot, and copies of other kinds are not read"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSEEN, detail, asset=asset, field="copies_encrypted")
    if copies.public(volume) is None:
        detail = "everybody may restore a snapshot of a volume that is not there, and it may hold a copy of this one"
        yield from look.gap("StoreExposure", GapWhy.UNSEEN, detail, asset=asset, field="public")
