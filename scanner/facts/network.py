"""Facts about network devices, segments and access paths."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal, public
from scanner.model import Fact, Instant


class NetworkDevice(Fact, frozen=True, kw_only=True):
    """One switch, router, firewall, load balancer or access point."""

    kind: ClassVar[str] = "network_device"
    population: ClassVar[bool] = True

    category: Annotated[
        Literal["switch", "router", "firewall", "load_balancer", "access_point"] | None, internal("What it does.")
    ] = None
    vendor: Annotated[str | None, internal("Its maker.")] = None
    host_name: Annotated[str | None, internal("Name it gives itself.")] = None


class ManagementPlane(Fact, frozen=True, kw_only=True):
    """How the device itself is managed."""

    kind: ClassVar[str] = "network_device"

    protocols: Annotated[list[str] | None, internal("Enabled: ssh, telnet, http, https, netconf.")] = None
    snmp: Annotated[
        Literal["off", "v1", "v2c", "v3_no_privacy", "v3_privacy"] | None, internal("Weakest SNMP mode accepted.")
    ] = None


class AccessPort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One port to which endpoints are attached."""

    name: Annotated[str | None, internal("Interface name.")] = None
    control: Annotated[
        Literal["none", "open", "mac_bypass", "dot1x"] | None, internal("What a device must prove before it may talk.")
    ] = None


class AccessPorts(Fact, frozen=True, kw_only=True):
    """Access ports of a device."""

    kind: ClassVar[str] = "network_device"

    ports: Annotated[list[AccessPort] | None, internal("Access ports; empty means none.")] = None


class FlowInterface(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One routed interface and whether its flows are seen."""

    name: Annotated[str | None, internal("Interface name.")] = None
    monitored: Annotated[bool | None, internal("A flow monitor is applied to it.")] = None


class FlowExport(Fact, frozen=True, kw_only=True):
    """Export of flow records."""

    kind: ClassVar[str] = "network_device"

    exporter: Annotated[bool | None, internal("An exporter is defined.")] = None
    interfaces: Annotated[list[FlowInterface] | None, internal("Routed interfaces; empty means none.")] = None


class Redundancy(Fact, frozen=True, kw_only=True):
    """What happens when a path or a unit fails."""

    kind: ClassVar[str] = "network_device"

    failover: Annotated[
        Literal["none", "static_pair", "tracked"] | None, internal("Tracked means that measured state moves the path.")
    ] = None


class Configuration(Fact, frozen=True, kw_only=True):
    """How the running configuration relates to its source."""

    kind: ClassVar[str] = "network_device"

    source: Annotated[
        Literal["none", "backup", "repository"] | None, internal("Where the wanted configuration stands.")
    ] = None
    drift: Annotated[Literal["none", "present"] | None, internal("Running differs from wanted.")] = None
    last_changed_by: Annotated[Literal["pipeline", "person"] | None, internal("Who made the last change.")] = None


class Segment(Fact, frozen=True, kw_only=True):
    """One network segment: VLAN, subnet, security zone, security group."""

    kind: ClassVar[str] = "segment"
    population: ClassVar[bool] = True

    name: Annotated[str | None, internal("Its name.")] = None
    zone: Annotated[
        Literal["internet", "dmz", "production", "office", "management", "other"] | None, internal("Its purpose.")
    ] = None


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One permitting rule at the border of a segment."""

    name: Annotated[str | None, internal("Its name or number.")] = None
    any_source: Annotated[bool | None, internal("It admits every source.")] = None
    any_service: Annotated[bool | None, internal("It admits every service.")] = None
    ever_hit: Annotated[bool | None, internal("False means that it never matched traffic.")] = None
    last_hit: Annotated[Instant | None, internal("When it last matched traffic.")] = None


class SegmentPolicy(Fact, frozen=True, kw_only=True):
    """The policy at the border of a segment."""

    kind: ClassVar[str] = "segment"

    applied: Annotated[bool | None, internal("The rule set is bound to the border, not only defined.")] = None
    default_action: Annotated[Literal["deny", "allow"] | None, internal("What happens to unlisted traffic.")] = None
    rules: Annotated[list[SegmentRule] | None, internal("Permitting rules; empty means none.")] = None


class PeerIsolation(Fact, frozen=True, kw_only=True):
    """What hosts inside one segment may do to each other."""

    kind: ClassVar[str] = "segment"

    peers: Annotated[Literal["isolated", "restricted", "open"] | None, internal("Host-to-host connections.")] = None
    means: Annotated[
        Literal["private_vlan", "host_firewall", "group_rules", "none"] | None, internal("What restricts them.")
    ] = None


class Microsegmentation(Fact, frozen=True, kw_only=True):
    """Software-defined boundaries around workloads."""

    kind: ClassVar[str] = "segment"

    mode: Annotated[Literal["none", "monitor", "enforce"] | None, internal("What the boundary does.")] = None
    final_action: Annotated[Literal["deny", "allow"] | None, internal("Its last rule.")] = None
    unlabelled_workloads: Annotated[int | None, internal("Workloads that no policy addresses.")] = None


class Hop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leg of a path from a device to data."""

    name: Annotated[str | None, internal("Where it leads.")] = None
    tls: Annotated[
        Literal["none", "1.0", "1.1", "1.2", "1.3", "ipsec", "ssh"] | None, public("Protection of the leg.")
    ] = None
    verified: Annotated[bool | None, internal("The peer's certificate or key is verified.")] = None


class AccessPath(Fact, frozen=True, kw_only=True):
    """One path along which a resource is reached, leg by leg."""

    kind: ClassVar[str] = "access_path"
    population: ClassVar[bool] = True

    name: Annotated[str | None, internal("From where to where.")] = None
    hops: Annotated[list[Hop] | None, internal("Its legs; empty means none.")] = None
    cleartext_entry: Annotated[bool | None, internal("The same entry also answers without encryption.")] = None
