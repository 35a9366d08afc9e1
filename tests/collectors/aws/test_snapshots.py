"""Copies of volumes, by answers written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.errors import AccessDenied
from scanner.facts import EncryptionAtRest, StoreExposure
from scanner.model import Fact, Gap
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import REGION, account

OWN, SHARED = f"describe-snapshots.{REGION}.json", f"describe-snapshots.{REGION}.all.json"
IMAGES = f"describe-images.{REGION}.json"


def copy(volume: str = "vol-1", *, encrypted: bool = True) -> dict[str, Any]:
    return {"SnapshotId": "snap-9", "VolumeId": volume, "Encrypted": encrypted}


def told(own: Any, shared: Any, images: Any = ()) -> tuple[bool | None, bool | None]:
    """Whether copies of the volume are encrypted, and whether it is public; what is unknown is a gap."""

    def answer(given: Any) -> Any:
        return {"Snapshots": given} if isinstance(given, list) else given

    records = seen(
        Remembered({**account(), OWN: answer(own), SHARED: answer(shared), IMAGES: images or {"Images": []}})
    )
    rows = {type(one): one for one in records if isinstance(one, Fact) and one.asset.endswith("volume/vol-1")}
    encryption, exposure = rows[EncryptionAtRest], rows[StoreExposure]
    assert isinstance(encryption, EncryptionAtRest) and isinstance(exposure, StoreExposure)
    gaps = {(one.fact, one.field) for one in records if isinstance(one, Gap)}
    assert exposure.public is not None or ("StoreExposure", "public") in gaps
    assert exposure.clear_transport is False
    return encryption.copies_encrypted, exposure.public


@pytest.mark.parametrize(
    ("own", "shared", "encrypted", "public"),
    [
        ([copy()], [], True, False),
        ([copy(), copy(encrypted=False)], [], False, False),
        ([copy(encrypted=False)], [copy(encrypted=False)], False, True),
        ([], [], None, False),
        ([copy("vol-2")], [], None, False),
        ([copy(), copy("vol-ffffffff")], [copy("vol-ffffffff")], True, None),
        (AccessDenied("no"), [], None, None),
        ([copy()], AccessDenied("no"), True, None),
        ([{"SnapshotId": "snap-9", "VolumeId": "vol-1"}], [], None, None),
    ],
)
def test_copies_are_as_open_as_the_weakest(own: Any, shared: Any, encrypted: bool | None, public: bool | None) -> None:
    assert told(own, shared) == (encrypted, public)


def image(snapshot: str, *, public: bool = True) -> dict[str, Any]:
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}},
        {"DeviceName": "/dev/sdb", "NoDevice": ""},
    ]
    return {"Images": [{"ImageId": "ami-9", "Public": public, "BlockDeviceMappings": mappings}]}


@pytest.mark.parametrize(
    ("images", "public"),
    [
        (image("snap-9"), True),
        (image("snap-9", public=False), False),
        (image("snap-of-nobody"), None),
        (AccessDenied("no"), None),
        ({"Images": [{"ImageId": "ami-9"}]}, None),
        ({"Images": [{"ImageId": "ami-9", "Public": True}]}, None),
    ],
)
def test_an_image_that_everybody_may_start_opens_what_is_in_it(images: Any, public: bool | None) -> None:
    assert told([copy()], [], images) == (True, public)
