"""Facts about logs, where assets stand, and which assets are the same."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from scanner.facts.field import internal
from scanner.model import Fact, Instant


class LogSource(Fact, frozen=True, kw_only=True):
    """One stream of events that security monitoring is meant to receive."""

    kind: ClassVar[str] = "log_source"
    population: ClassVar[bool] = True

    pillar: Annotated[
        Literal["identity", "device", "network", "application", "data"] | None, internal("What its events speak of.")
    ] = None
    name: Annotated[str | None, internal("Its name.")] = None


class LogDelivery(Fact, frozen=True, kw_only=True):
    """What of the asset's events really arrived at the collecting side."""

    ever_arrived: Annotated[bool | None, internal("False means never.")] = None
    last_arrived: Annotated[Instant | None, internal("Time of the newest event that arrived.")] = None
    carries: Annotated[
        list[str] | None,
        internal(
            "Of who, what, when, result, policy_decision, dynamic_attributes, privileged_operations, data_access."
        ),
    ] = None


class LogForwarding(Fact, frozen=True, kw_only=True):
    """What the asset is set to send; says nothing about arrival."""

    destinations: Annotated[list[str] | None, internal("Where logs are sent; empty means nowhere.")] = None
    encrypted: Annotated[bool | None, internal("Every destination is reached over TLS.")] = None


class Detection(Fact, frozen=True, kw_only=True):
    """What is done with the events of a stream."""

    rules_enabled: Annotated[int | None, internal("Enabled detection rules that read it.")] = None
    alerts_reach: Annotated[
        Literal["nobody", "mailbox", "security_operations"] | None, internal("Who gets an alert.")
    ] = None


class TimeSync(Fact, frozen=True, kw_only=True):
    """Whether the asset's clock follows a source."""

    synchronised: Annotated[bool | None, internal("The clock follows a source now.")] = None
    source: Annotated[str | None, internal("Which source; 'none' where there is none.")] = None


class Placement(Fact, frozen=True, kw_only=True):
    """Where the asset stands, for selectors: directory, groups, account, tags, addresses."""

    directory: Annotated[str | None, internal("Key of the directory that holds it; 'none' where none does.")] = None
    groups: Annotated[list[str] | None, internal("Groups it belongs to, nested ones included; empty means none.")] = (
        None
    )
    organizational_unit: Annotated[str | None, internal("Distinguished name of its unit; 'none' where none.")] = None
    account: Annotated[str | None, internal("Key of the cloud account that holds it; 'none' where none does.")] = None
    tags: Annotated[list[str] | None, internal("Tags as name=value; empty means none.")] = None
    addresses: Annotated[list[str] | None, internal("IP addresses; empty means none.")] = None
    host_name: Annotated[str | None, internal("Name by which it is known; 'none' where it has none.")] = None


class Same(Fact, frozen=True, kw_only=True):
    """Evidence, by an exact key, that two asset keys name one asset."""

    same_as: Annotated[str | None, internal("Key under which the defining source knows it.")] = None
    by: Annotated[str | None, internal("The exact key that both share, such as machine_sid.")] = None
