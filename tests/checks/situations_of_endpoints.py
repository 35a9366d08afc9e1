"""Known false passes about endpoints, as agents, management, gateways and sensors tell them."""

from __future__ import annotations

from typing import Any

from scanner.model import Outcome
from tests.checks.situation import Situation, ago

FAIL, UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN
LAPTOP = {"category": "laptop", "external": False, "host_name": "ws-1"}
SERVER = LAPTOP | {"category": "server"}
NOT_BELIEVED = {"external": False}
"""All that is known of a device whose agent cannot be believed."""
AGENT = {
    "state": "enrolled",
    "clone_suspected": False,
    "identity_collision": False,
    "silent": False,
    "ever_reported": True,
}
SENSOR: dict[str, Any] = {
    "product": "sensor",
    "category": "edr",
    "running": True,
    "mode": "block",
    "tamper_protection": True,
    "signatures_at": ago(days=1),
}
LOCKED: dict[str, Any] = {"desktop": "windows", "enforced": True, "idle_seconds": 600}
SHUT: dict[str, Any] = {"enabled": True, "inbound": "deny"}
QUIET = {"sockets": [{"transport": "tcp", "port": 443, "reach": "any"}]}
SMB = {"sockets": [{"transport": "tcp", "port": 445, "reach": "any"}]}
FLAW = {"id": "CVE-2026-1001", "severity": "high", "published": ago(days=90), "repairable": True}


def protection(**changes: Any) -> dict[str, Any]:
    return {"EndpointProtection": {"products": [SENSOR | changes]}}


ENDPOINTS = (
    Situation(
        item="2-1",
        says="A laptop was cloned with its agent: two hosts report as one, and the list counts one sound device.",
        said={"endpoint": {"Device": NOT_BELIEVED, "EndpointAgent": AGENT | {"clone_suspected": True}}},
        judged={"2-1/identity-unique": FAIL},
        mended={"endpoint": {"EndpointAgent": {"clone_suspected": False}}},
    ),
    Situation(
        item="2-1",
        says="Two agents give one machine as theirs; taken by serial number they are one device with two postures.",
        said={"endpoint": {"Device": NOT_BELIEVED, "EndpointAgent": AGENT | {"identity_collision": True}}},
        judged={"2-1/identity-unique": FAIL},
        mended={"endpoint": {"EndpointAgent": {"identity_collision": False}}},
    ),
    Situation(
        item="2-1",
        says="The spreadsheet lists a server that no agent has ever reported.",
        said={"spreadsheet": {"Device": SERVER}},
        judged={"2-1/identity-unique": UNKNOWN, "2-1/managed": UNKNOWN},
        mended={
            "endpoint": {"EndpointAgent": AGENT},
            "mdm": {"Enrolment": {"managed": True, "last_contact": ago(days=1)}},
        },
    ),
    Situation(
        item="2-1",
        says="A TPM is ready, so the identity is taken for one of hardware; its agent's key lies in a file.",
        said={"endpoint": {"Device": LAPTOP, "HardwareIdentity": {"tpm": "ready"}}},
        judged={"2-1/hardware-identity": UNKNOWN},
        mended={"mdm": {"HardwareIdentity": {"anchor": "tpm"}}},
    ),
    Situation(
        item="2-1",
        says="Admission by MAC address is counted as 802.1X.",
        said={
            "network": {"NetworkDevice": {"category": "switch"}, "AccessPorts": {"ports": [{"control": "mac_bypass"}]}}
        },
        judged={"2-1/ports-authenticated": FAIL},
        mended={"network": {"AccessPorts": {"ports": [{"control": "dot1x"}]}}},
    ),
    Situation(
        item="2-1",
        says="802.1X is configured, and the port lets everybody in whatever it answers.",
        said={"network": {"NetworkDevice": {"category": "switch"}, "AccessPorts": {"ports": [{"control": "open"}]}}},
        judged={"2-1/ports-authenticated": FAIL},
        mended={"network": {"AccessPorts": {"ports": [{"control": "dot1x"}]}}},
    ),
    Situation(
        item="2-2",
        says="Compliant, because no policy is assigned.",
        said={"mdm": {"Device": LAPTOP, "Enrolment": {"policy_assigned": False, "compliant": True}}},
        judged={"2-2/policy-met": FAIL},
        mended={"mdm": {"Enrolment": {"policy_assigned": True}}},
    ),
    Situation(
        item="2-2",
        says="The last thing that the laptop said before it fell silent was good.",
        said={"endpoint": {"Device": LAPTOP, "EndpointAgent": AGENT | {"silent": True}}},
        judged={"2-2/state-reported": FAIL},
        mended={"endpoint": {"EndpointAgent": {"silent": False}}},
    ),
    Situation(
        item="2-2",
        says="An agent was shut out for ever, and its laptop stands in the office with the good word that it last had.",
        said={"endpoint": {"Device": NOT_BELIEVED, "EndpointAgent": AGENT | {"state": "banned"}}},
        judged={"2-2/state-reported": FAIL},
        mended={"endpoint": {"EndpointAgent": {"state": "enrolled"}}},
    ),
    Situation(
        item="2-2",
        says="The posture of long ago stands in the console as if it were today's.",
        said={
            "endpoint": {
                "Device": LAPTOP,
                "DiskEncryption": {"observed_at": ago(days=30), "volumes": [{"mount": "/", "encrypted": True}]},
                "HostFirewall": {"observed_at": ago(days=30), "enabled": True, "inbound": "deny"},
                "SecureBoot": {"observed_at": ago(days=30), "state": "enabled"},
            }
        },
        judged={"2-2/disk-encrypted": UNKNOWN, "2-2/host-firewall": UNKNOWN, "2-2/secure-boot": UNKNOWN},
        mended={
            "endpoint": {
                "DiskEncryption": {"observed_at": ago(days=1)},
                "HostFirewall": {"observed_at": ago(days=1)},
                "SecureBoot": {"observed_at": ago(days=1)},
            }
        },
    ),
    Situation(
        item="2-2",
        says="An agent enrolled and never told anything; its device is in the list without a fault.",
        said={"endpoint": {"Device": LAPTOP, "EndpointAgent": AGENT | {"ever_reported": False}}},
        judged={"2-2/state-reported": FAIL, "2-2/patched": UNKNOWN, "2-2/disk-encrypted": UNKNOWN},
        mended={
            "endpoint": {
                "EndpointAgent": {"ever_reported": True},
                "Patching": {"ever_patched": True, "last_patched": ago(days=3), "pending_security": 0},
                "DiskEncryption": {"volumes": [{"mount": "/", "encrypted": True}]},
            }
        },
    ),
    Situation(
        item="2-2",
        says="A scan without the right to look into the host finds nothing.",
        said={"endpoint": {"Device": SERVER, "Patching": {"ever_patched": True, "last_patched": ago(days=3)}}},
        judged={"2-2/patched": UNKNOWN, "2-2/flaws-repaired": UNKNOWN},
        mended={"endpoint": {"Patching": {"pending_security": 0}, "Advisories": {"unrepaired": []}}},
    ),
    Situation(
        item="2-2",
        says="The package manager has nothing to install, for its list is stale; a published flaw is open for months.",
        said={
            "endpoint": {
                "Device": SERVER,
                "Patching": {"ever_patched": True, "last_patched": ago(days=3), "pending_security": 0},
                "Advisories": {"unrepaired": [FLAW], "feed_at": ago(days=1)},
            }
        },
        judged={"2-2/flaws-repaired": FAIL},
        mended={"endpoint": {"Advisories": {"unrepaired": []}}},
    ),
    Situation(
        item="2-2",
        says="No flaw is known, by a feed of last quarter.",
        said={
            "endpoint": {
                "Device": SERVER,
                "Advisories": {"observed_at": ago(days=90), "unrepaired": [], "feed_at": ago(days=90)},
            }
        },
        judged={"2-2/flaws-repaired": UNKNOWN},
        mended={"endpoint": {"Advisories": {"observed_at": ago(days=1), "feed_at": ago(days=1)}}},
    ),
    Situation(
        item="2-2",
        says="A grave flaw is open, and the feed has not said since when.",
        said={"endpoint": {"Device": SERVER, "Advisories": {"unrepaired": [FLAW | {"published": None}]}}},
        judged={"2-2/flaws-repaired": UNKNOWN},
        mended={"endpoint": {"Advisories": {"unrepaired": [FLAW | {"published": ago(days=3)}]}}},
    ),
    Situation(
        item="2-2",
        says="Fresh signatures lie on the disk of a product that does not run.",
        said={"endpoint": {"Device": LAPTOP, **protection(running=False)}},
        judged={"2-2/signatures-fresh": FAIL},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-3",
        says="Vendors come in by a gateway, and the gateway itself is not kept repaired.",
        said={
            "cmdb": {"Device": LAPTOP | {"external": True}},
            "gateway": {"DeviceAccess": {"entry": "relay", "relay_compliant": False, "baseline_met": False}},
        },
        judged={"2-3/external-baseline-or-relay": FAIL},
        mended={"gateway": {"DeviceAccess": {"relay_compliant": True}}},
    ),
    Situation(
        item="2-4",
        says="Health is looked at once, when the device joins.",
        said={"cmdb": {"Device": LAPTOP}, "gateway": {"DeviceAccess": {"health_gate": "at_join"}}},
        judged={"2-4/health-gates-access": FAIL},
        mended={"gateway": {"DeviceAccess": {"health_gate": "every_session"}}},
    ),
    Situation(
        item="2-4",
        says="A compliant device is demanded, or else a second factor.",
        said={"cmdb": {"Device": LAPTOP}, "gateway": {"DeviceAccess": {"health_gate": "alternative"}}},
        judged={"2-4/health-gates-access": FAIL},
        mended={"gateway": {"DeviceAccess": {"health_gate": "every_session"}}},
    ),
    Situation(
        item="2-4",
        says="Agents report every five minutes, and no decision point asks for what they say.",
        said={"endpoint": {"Device": LAPTOP, "EndpointAgent": AGENT}},
        judged={"2-4/health-gates-access": UNKNOWN},
        mended={"gateway": {"DeviceAccess": {"health_gate": "every_session"}}},
    ),
    Situation(
        item="2-5",
        says="The sensor only watches: it was left in the mode of its trial.",
        said={"endpoint": {"Device": SERVER, **protection(mode="passive")}},
        judged={"2-5/detection-blocks": FAIL},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-5",
        says="A plain virus scanner is counted as detection and response.",
        said={"endpoint": {"Device": SERVER, **protection(category="antivirus")}},
        judged={"2-5/detection-blocks": FAIL},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-5",
        says="The sensor blocks what it sees, until whoever has the host switches it off.",
        said={"endpoint": {"Device": SERVER, **protection(tamper_protection=False)}},
        judged={"2-5/detection-blocks": FAIL},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-5",
        says="The sensor is installed and blocks by its settings; whether it runs was not seen.",
        said={"endpoint": {"Device": SERVER, **protection(running=None)}},
        judged={"2-5/detection-blocks": UNKNOWN},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-5",
        says="Servers are left out of the count, for the console of the sensor knows laptops only.",
        said={"ad": {"Device": SERVER}},
        judged={"2-5/detection-blocks": UNKNOWN},
        mended={"endpoint": protection()},
    ),
    Situation(
        item="2-6",
        says="A laptop off the network sends nothing, and nobody misses it.",
        said={
            "cmdb": {"Device": LAPTOP},
            "siem": {"LogDelivery": {"ever_arrived": True, "last_arrived": ago(days=4)}},
        },
        judged={"2-6/device-logs-arrive": FAIL},
        mended={"siem": {"LogDelivery": {"last_arrived": ago(days=0.1)}}},
    ),
    Situation(
        item="2-6",
        says="The host is set to forward its logs; whether they arrive was never looked at.",
        said={"endpoint": {"Device": SERVER, "LogForwarding": {"destinations": ["siem"], "encrypted": True}}},
        judged={"2-6/device-logs-arrive": UNKNOWN},
        mended={"siem": {"LogDelivery": {"ever_arrived": True, "last_arrived": ago(days=0.1)}}},
    ),
    Situation(
        item="2-6",
        says="The console of the sensor is full, and no rule tells anybody.",
        said={
            "siem": {
                "LogSource": {"pillar": "device", "name": "sensor console"},
                "Detection": {"rules_enabled": 0, "alerts_reach": "nobody"},
            }
        },
        judged={"2-6/device-logs-judged": FAIL},
        mended={"siem": {"Detection": {"rules_enabled": 4, "alerts_reach": "security_operations"}}},
    ),
    Situation(
        item="2-7",
        says="Drift is reported, and nobody puts it right.",
        said={"mdm": {"Device": LAPTOP, "Enrolment": {"repair": "reported"}}},
        judged={"2-7/drift-repaired": FAIL},
        mended={"mdm": {"Enrolment": {"repair": "automatic"}}},
    ),
    Situation(
        item="2-7",
        says="Joining is automatic, and what comes after it was never set up.",
        said={"mdm": {"Device": LAPTOP, "Enrolment": {"managed": True, "repair": None}}},
        judged={"2-7/drift-repaired": UNKNOWN},
        mended={"mdm": {"Enrolment": {"repair": "automatic"}}},
    ),
    Situation(
        item="2-2",
        says="The screen is locked, until its user finds the setting.",
        said={"endpoint": {"Device": LAPTOP, "SessionLock": LOCKED | {"enforced": False}}},
        judged={"2-2/sessions-locked": FAIL},
        mended={"endpoint": {"SessionLock": {"enforced": True}}},
    ),
    Situation(
        item="2-2",
        says="The screen is locked, after two hours.",
        said={"endpoint": {"Device": LAPTOP, "SessionLock": LOCKED | {"idle_seconds": 7200}}},
        judged={"2-2/sessions-locked": FAIL},
        mended={"endpoint": {"SessionLock": {"idle_seconds": 600}}},
    ),
    Situation(
        item="2-2",
        says="Every stick may be written to, and nobody asked what leak prevention does with it.",
        said={"endpoint": {"Device": LAPTOP, "RemovableStorage": {"mode": "allowed"}}},
        judged={"2-2/storage-refused": UNKNOWN},
        mended={"dlp": {"LeakPrevention": {"mode": "enforce", "channels": ["removable_storage"]}}},
    ),
    Situation(
        item="2-2",
        says="Leak prevention covers sticks, and is still being tried out.",
        said={
            "endpoint": {"Device": LAPTOP, "RemovableStorage": {"mode": "allowed"}},
            "dlp": {"LeakPrevention": {"mode": "test", "channels": ["removable_storage"]}},
        },
        judged={"2-2/storage-refused": FAIL},
        mended={"dlp": {"LeakPrevention": {"mode": "enforce"}}},
    ),
    Situation(
        item="3-1",
        says="The host firewall is on, and lets everything in that nobody listed.",
        said={"endpoint": {"Device": LAPTOP, "HostFirewall": SHUT | {"inbound": "allow"}, "Listeners": QUIET}},
        judged={"3-1/hosts-closed": FAIL},
        mended={"endpoint": {"HostFirewall": {"inbound": "deny"}}},
    ),
    Situation(
        item="3-1",
        says="The host firewall is on for the domain's network, and off in every other.",
        said={"endpoint": {"Device": LAPTOP, "HostFirewall": SHUT | {"enabled": False}, "Listeners": QUIET}},
        judged={"3-1/hosts-closed": FAIL},
        mended={"endpoint": {"HostFirewall": {"enabled": True}}},
    ),
    Situation(
        item="3-1",
        says="No administration waits for connections today, so nobody asked for the packet filter.",
        said={"endpoint": {"Device": SERVER, "Listeners": QUIET}},
        judged={"3-1/hosts-closed": UNKNOWN},
        mended={"endpoint": {"HostFirewall": SHUT}},
    ),
    Situation(
        item="3-1",
        says="Servers run no agent; the laptops beside them are all closed.",
        said={"ad": {"Device": SERVER}},
        judged={"3-1/hosts-closed": UNKNOWN},
        mended={"endpoint": {"HostFirewall": SHUT, "Listeners": QUIET}},
    ),
    Situation(
        item="3-1",
        says="The host denies what nobody listed; file sharing waits for everybody and may well be on the list.",
        said={"endpoint": {"Device": SERVER, "HostFirewall": SHUT, "Listeners": SMB}},
        judged={"3-1/hosts-closed": UNKNOWN},
        mended={"endpoint": {"HostFirewall": SHUT | {"administration": "listed"}}},
    ),
    Situation(
        item="3-1",
        says="The host denies what nobody listed, and remote administration is on the list for everybody.",
        said={
            "endpoint": {"Device": SERVER, "HostFirewall": SHUT | {"administration": "open"}, "Listeners": SMB},
        },
        judged={"3-1/hosts-closed": FAIL},
        mended={"endpoint": {"HostFirewall": SHUT | {"administration": "listed"}}},
    ),
    Situation(
        item="3-1",
        says="Who waits for connections on the host was not looked at.",
        said={"endpoint": {"Device": SERVER, "HostFirewall": SHUT}},
        judged={"3-1/hosts-closed": UNKNOWN},
        mended={"endpoint": {"Listeners": QUIET}},
    ),
    Situation(
        item="5-6",
        says="The system volume of the laptop is encrypted, and copies lie on the second one.",
        said={
            "endpoint": {
                "Device": LAPTOP,
                "DiskEncryption": {
                    "volumes": [{"mount": "C:", "encrypted": True}, {"mount": "D:", "encrypted": False}]
                },
            }
        },
        judged={"5-6/endpoints-encrypted": FAIL},
        mended={"endpoint": {"DiskEncryption": {"volumes": [{"mount": "C:", "encrypted": True}]}}},
    ),
    Situation(
        item="4-1",
        says="Roles are separated in the application, and everybody knows the administrator of its host.",
        said={
            "endpoint": {
                "Device": SERVER,
                "LocalAdministrators": {"members": [{"category": "shared", "enabled": True}]},
            }
        },
        judged={"4-1/local-administrators": FAIL},
        mended={"endpoint": {"LocalAdministrators": {"members": [{"category": "person", "enabled": True}]}}},
    ),
)
"""Items of devices that agents tell of, beside those of `MACHINES`."""
