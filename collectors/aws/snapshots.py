"""Copies of block volumes: whether they are encrypted too, and whether everybody may restore one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from collectors.aws.look import Look, items, text
from collectors.aws.posture_operations import IMAGES, SNAPSHOTS
from scanner.errors import Malformed, ReadError
from scanner.model import GapWhy, Record


@dataclass(frozen=True)
class Copies:
    """What the snapshots of a region say of its volumes."""

    encrypted: Mapping[str, bool]
    """Whether all copies of a volume are encrypted; a volume that is not here has none."""
    shared: frozenset[str] | None
    """Volumes of which everybody may restore a copy or start an image; None where that could not be read."""
    strays: bool = False
    """Everybody may restore a copy of a volume that is not there: deleted, or of a copy of a copy."""

    def public(self, volume: str) -> bool | None:
        """Whether everybody may restore a copy of the volume; None where one of a volume not named may be its."""
        if self.shared is None:
            return None
        return True if volume in self.shared else (None if self.strays else False)


def of_region(look: Look, region: str, volumes: Set[str]) -> Iterator[Record | Copies]:
    """What the snapshots of a region say, if they could be had; ``volumes`` are the ids of those that exist."""
    encrypted: dict[str, bool] = {}
    volume_of: dict[str, str] = {}
    try:
        for one in look.ask(SNAPSHOTS, region)["Snapshots"]:
            name, flag = text(one, "VolumeId"), one.get("Encrypted")
            if not isinstance(flag, bool):
                raise Malformed("a snapshot does not say whether it is encrypted")
            encrypted[name] = encrypted.get(name, True) and flag
            volume_of[text(one, "SnapshotId")] = name
    except ReadError as error:
        yield from look.lost(SNAPSHOTS, error, region=region)
        return
    shared: set[str] = set()
    source = SNAPSHOTS
    try:
        if encrypted:
            public = look.ask(SNAPSHOTS, region, RestorableByUserIds=["all"])["Snapshots"]
            shared = {text(one, "VolumeId") for one in public}
            source = IMAGES
            for image in look.ask(IMAGES, region)["Images"]:
                shared |= {volume_of.get(copy, copy) for copy in _shown(image)}
    except ReadError as error:
        yield from look.lost(source, error, region=region)
        yield Copies(encrypted, None)
        return
    yield Copies(encrypted, frozenset(shared & volumes), bool(shared - volumes))


def _shown(image: Mapping[str, Any]) -> Iterator[str]:
    """Snapshots in an image that everybody may start; raises Malformed."""
    public = image.get("Public")
    if not isinstance(public, bool):
        raise Malformed("an image does not say whether everybody may start it")
    for mapping in items(image, "BlockDeviceMappings") if public else ():
        disk = mapping.get("Ebs")
        if isinstance(disk, Mapping):
            yield text(disk, "SnapshotId")


def unsaid(look: Look, copies: Copies, asset: str, volume: str) -> Iterator[Record]:
    """Gaps of one volume for what its snapshots leave open."""
    if volume not in copies.encrypted:
        detail = "it has no snapshot, and copies of other kinds are not read"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSEEN, detail, asset=asset, field="copies_encrypted")
    if copies.shared is not None and copies.public(volume) is None:
        detail = "everybody may restore a snapshot of a volume that is not there, and it may hold a copy of this one"
        yield from look.gap("StoreExposure", GapWhy.UNSEEN, detail, asset=asset, field="public")
