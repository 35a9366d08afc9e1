"""Facts about stores of data."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal, personal, secret_adjacent
from scanner.model import Fact, Instant


class DataStore(Fact, frozen=True, kw_only=True):
    """One database, bucket, file share or mailbox service."""

    kind: ClassVar[str] = "data_store"
    population: ClassVar[bool] = True

    category: Annotated[Literal["database", "bucket", "file_share", "saas"] | None, internal("What form it has.")] = (
        None
    )
    sensitive: Annotated[bool | None, internal("The institution's register says that it holds sensitive data.")] = None
    name: Annotated[str | None, internal("Its name.")] = None


class Classification(Fact, frozen=True, kw_only=True):
    """How its content is classified."""

    kind: ClassVar[str] = "data_store"

    label: Annotated[str | None, internal("Label it carries; 'none' where it carries none.")] = None
    labelled_by: Annotated[
        Literal["nothing", "default", "rule", "person"] | None, internal("What put the label there.")
    ] = None
    inventoried_at: Annotated[Instant | None, internal("When its content was last inventoried.")] = None
    has_owner: Annotated[bool | None, internal("An owner is named.")] = None
    owner: Annotated[str | None, personal("The owner.")] = None


class EncryptionAtRest(Fact, frozen=True, kw_only=True):
    """Encryption of stored content and the keys."""

    kind: ClassVar[str] = "data_store"

    layer: Annotated[Literal["none", "disk", "store", "field"] | None, secret_adjacent("Where encryption happens.")] = (
        None
    )
    key_holder: Annotated[
        Literal["none", "provider_default", "institution"] | None, secret_adjacent("Who controls the key.")
    ] = None
    rotation: Annotated[Literal["never", "scheduled"] | None, secret_adjacent("Whether keys are rotated.")] = None
    key_apart: Annotated[
        bool | None, secret_adjacent("The key is kept apart from the data and its administrators.")
    ] = None
    copies_encrypted: Annotated[bool | None, secret_adjacent("Exports and backups are encrypted too.")] = None


class BackupCopy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One copy from which content can be restored."""

    method: Annotated[
        Literal["replica", "backup"] | None, internal("A replica repeats a deletion; a backup does not.")
    ] = None
    place: Annotated[Literal["same_site", "other_site"] | None, internal("Where it lies.")] = None
    same_administrators: Annotated[bool | None, internal("Those who run the store can delete it.")] = None


class StoreExposure(Fact, frozen=True, kw_only=True):
    """Who can reach a store from outside, and whether in clear text."""

    kind: ClassVar[str] = "data_store"

    public: Annotated[bool | None, internal("Anyone may read, list or write its content, or may reach its port.")] = (
        None
    )
    clear_transport: Annotated[bool | None, internal("It also answers without TLS.")] = None


class Backup(Fact, frozen=True, kw_only=True):
    """Copies and proof that they can be restored."""

    kind: ClassVar[str] = "data_store"

    copies: Annotated[list[BackupCopy] | None, internal("Copies; empty means none.")] = None
    ever_restored: Annotated[bool | None, internal("False means that a restore was never tested.")] = None
    restored_at: Annotated[Instant | None, internal("Last tested restore.")] = None


class Availability(Fact, frozen=True, kw_only=True):
    """High availability at the site itself."""

    kind: ClassVar[str] = "data_store"

    local: Annotated[Literal["single", "pair", "multi_zone"] | None, internal("Local redundancy.")] = None


class LeakageControl(Fact, frozen=True, kw_only=True):
    """Watching and blocking of the ways out."""

    kind: ClassVar[str] = "data_store"

    mode: Annotated[Literal["off", "alert", "block"] | None, internal("What a suspected leak leads to.")] = None
    bulk_export_watched: Annotated[bool | None, internal("Exports by database administrators are watched too.")] = None


class DataAccess(Fact, frozen=True, kw_only=True):
    """Conditions on reading content."""

    kind: ClassVar[str] = "data_store"

    conditions: Annotated[list[str] | None, internal("Dynamic attributes that decide.")] = None
    reauthentication: Annotated[
        Literal["never", "at_sign_in", "on_sensitive_access"] | None,
        internal("When the reader must prove themself again."),
    ] = None
    reader_identity: Annotated[
        Literal["person", "shared_service"] | None, internal("Whose identity reaches the store.")
    ] = None


class Retention(Fact, frozen=True, kw_only=True):
    """Whether content is removed when its time is over."""

    kind: ClassVar[str] = "data_store"

    policy: Annotated[Literal["none", "on_paper", "executing"] | None, internal("State of the rule.")] = None
    last_run: Annotated[Instant | None, internal("When it last removed or confirmed.")] = None
    covers_copies: Annotated[bool | None, internal("Backups do not outlive it.")] = None
