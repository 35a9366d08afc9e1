"""Buckets and block volumes as data stores, and how their content is encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from collectors.aws import bucket_posture, snapshots
from collectors.aws.bucket_posture import Block
from collectors.aws.keys import KeyRing, KeyState, losses
from collectors.aws.look import Look, instant, tags_of, text
from collectors.aws.operations import (
    BUCKET_ENCRYPTION,
    BUCKET_PLACE,
    BUCKET_TAGS,
    BUCKETS,
    VOLUMES,
)
from collectors.aws.placement import placed
from collectors.aws.snapshots import Copies
from collectors.aws.source import OF_STORE
from scanner.errors import Malformed, ReadError
from scanner.facts import DataStore, EncryptionAtRest, StoreExposure
from scanner.model import GapWhy, Record

ENCRYPTED_SINCE = datetime(2023, 1, 5, tzinfo=UTC)
"""From this day on S3 encrypts every new object; what is older may lie in the clear whatever the default says."""


def read(look: Look) -> Iterator[Record]:
    """Data stores of S3 and EBS; the listing stays open, for other services hold data too."""
    if not look.wants(*OF_STORE, "Placement"):
        return
    if look.settings.other_stores != "none":
        detail = (
            "databases, file systems and archives of other services (RDS, DynamoDB, EFS, Redshift, FSx) are not read; "
            'the target\'s option other_stores = "none" says that there are none'
        )
        yield from look.gap("DataStore", GapWhy.UNSUPPORTED, detail)
    yield from look.unsaid("EncryptionAtRest", "copies_encrypted", "exports and backups of buckets are not read")
    yield from look.unsaid("DataStore", "category", "a block volume is no database, bucket, file share or service")
    ring = KeyRing(look)
    yield from _buckets(look, ring)
    for region in look.regions:
        yield from _volumes(look, ring, region)


def _buckets(look: Look, ring: KeyRing) -> Iterator[Record]:
    try:
        listed = look.ask(BUCKETS)["Buckets"]
    except ReadError as error:
        yield from look.lost(BUCKETS, error)
        return
    around = bucket_posture.UNKNOWN
    if listed and look.wants("StoreExposure"):
        for found in bucket_posture.of_account(look):
            if isinstance(found, Block):
                around = found
            else:
                yield found
    for bucket in listed:
        try:
            name = text(bucket, "Name")
            made_at = instant(bucket.get("CreationDate"))
        except Malformed as error:
            yield from look.lost(BUCKETS, error)
            continue
        yield from _bucket(look, ring, name, made_at, bucket.get("BucketRegion"), around)


def _bucket(look: Look, ring: KeyRing, name: str, made_at: datetime, region: object, around: Block) -> Iterator[Record]:
    asset = look.key("data_store", f"arn:{look.partition}:s3:::{name}")
    tags: dict[str, str] | None = None
    layer: Any = None
    state: KeyState | None = None
    try:
        if not isinstance(region, str) or not region:
            place = look.ask(BUCKET_PLACE, Bucket=name).get("LocationConstraint") or "us-east-1"
            region = "eu-west-1" if place == "EU" else str(place)
    except ReadError as error:
        yield from look.lost(BUCKET_PLACE, error, asset=asset)
        region = None
    if region is not None:
        try:
            if look.wants("DataStore", "Placement"):
                answer = look.find(BUCKET_TAGS, region, Bucket=name)
                tags = {} if answer is None else tags_of(answer.get("TagSet"))
        except ReadError as error:
            yield from look.lost(BUCKET_TAGS, error, asset=asset)
        try:
            if look.wants("EncryptionAtRest"):
                answer = look.find(BUCKET_ENCRYPTION, region, Bucket=name)
                layer, state = ("none", KeyState(None, None)) if answer is None else _default(answer, ring, region)
        except ReadError as error:
            yield from look.lost(BUCKET_ENCRYPTION, error, asset=asset)
    yield from _store(look, asset, name, tags, "bucket")
    if isinstance(region, str):
        yield from bucket_posture.read(look, asset, name, region, around)
    if state is None:
        return
    holder: Any = "none" if layer == "none" else state.holder
    if layer is None:
        detail = "without its key it is not known whether reading takes a right of its own"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSEEN, detail, asset=asset, field="layer")
    elif layer != "none" and made_at < ENCRYPTED_SINCE:
        detail = f"objects from before {ENCRYPTED_SINCE.date()} may lie unencrypted; the default speaks of later ones"
        yield from look.gap("EncryptionAtRest", GapWhy.UNSEEN, detail, asset=asset, field="layer")
        layer = None
    yield from losses(look, state, asset, region or "")
    yield from look.saw(
        EncryptionAtRest(
            asset=asset,
            observed_at=look.begun,
            layer=layer,
            key_holder=holder,
            rotation=state.rotation,
            key_apart=False if holder == "none" else state.apart,
        )
    )


def _default(answer: Mapping[str, Any], ring: KeyRing, region: str) -> tuple[str | None, KeyState]:
    """Layer and key of the default encryption.

    With a key of S3 or one that AWS manages, whoever may read the bucket reads the clear text: that is encryption of
    the disk. A key of the institution is a right of its own.
    """
    configuration = answer.get("ServerSideEncryptionConfiguration")
    rules = configuration.get("Rules") if isinstance(configuration, Mapping) else None
    if not isinstance(rules, list) or len(rules) != 1 or not isinstance(rules[0], Mapping):
        raise Malformed("the default encryption is not one rule")
    default = rules[0].get("ApplyServerSideEncryptionByDefault")
    algorithm = text(default if isinstance(default, Mapping) else {}, "SSEAlgorithm")
    if algorithm == "AES256":
        return "disk", KeyState("provider_default", None)
    if algorithm not in {"aws:kms", "aws:kms:dsse"}:
        raise Malformed(f"unknown encryption {algorithm!r}")
    named = default.get("KMSMasterKeyID") if isinstance(default, Mapping) else None
    if named is not None and not isinstance(named, str):
        raise Malformed("the key of the default encryption is no text")
    state = ring.state(named, region) if named else KeyState("provider_default", None)
    return {"institution": "store", "provider_default": "disk", None: None}[state.holder], state


def _volumes(look: Look, ring: KeyRing, region: str) -> Iterator[Record]:
    try:
        listed = look.ask(VOLUMES, region)["Volumes"]
    except ReadError as error:
        yield from look.lost(VOLUMES, error, region=region)
        return
    copies: Copies | None = None
    if listed and look.wants("StoreExposure", "EncryptionAtRest"):
        for found in snapshots.of_region(look, region, {str(volume.get("VolumeId")) for volume in listed}):
            if isinstance(found, Copies):
                copies = found
            else:
                yield found
    for volume in listed:
        try:
            name, tags = text(volume, "VolumeId"), tags_of(volume.get("Tags"))
            encrypted = volume.get("Encrypted")
            if not isinstance(encrypted, bool):
                raise Malformed("a volume does not say whether it is encrypted")
            key = text(volume, "KmsKeyId") if encrypted else ""
        except Malformed as error:
            yield from look.lost(VOLUMES, error, region=region)
            continue
        asset = look.key("data_store", f"arn:{look.partition}:ec2:{region}:{look.account}:volume/{name}")
        yield from _store(look, asset, name, tags, None)
        state = KeyState(None, None)
        if encrypted and look.wants("EncryptionAtRest"):
            state = ring.state(key, region)
        yield from losses(look, state, asset, region)
        holder: Any = state.holder if encrypted else "none"
        if copies is not None:
            yield from snapshots.unsaid(look, copies, asset, name)
        yield from look.saw(
            EncryptionAtRest(
                asset=asset,
                observed_at=look.begun,
                layer="disk" if encrypted else "none",
                key_holder=holder,
                rotation=state.rotation,
                key_apart=False if holder == "none" else state.apart,
                copies_encrypted=None if copies is None else copies.encrypted.get(name),
            ),
            StoreExposure(
                asset=asset,
                observed_at=look.begun,
                public=None if copies is None else copies.public(name),
                clear_transport=False,  # a volume has no entry from the network
            ),
        )


def _store(look: Look, asset: str, name: str, tags: dict[str, str] | None, category: Any) -> Iterator[Record]:
    given = {"true": True, "false": False}.get((tags or {}).get(look.settings.sensitive_tag or "", "").lower())
    if given is None and tags is not None:
        detail = "no tag that the target's option sensitive_tag names says true or false"
        yield from look.gap("DataStore", GapWhy.UNSUPPORTED, detail, asset=asset, field="sensitive")
    yield from look.saw(
        DataStore(asset=asset, observed_at=look.begun, category=category, sensitive=given, name=name),
        placed(look, asset, tags),
    )
