"""Known false passes about devices, segments and streams of events, as a directory and a cloud account tell them."""

from __future__ import annotations

from typing import Any

from scanner.model import Outcome
from tests.checks.situation import Situation, ago

FAIL, UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN
SERVER = {"category": "server", "external": False, "host_name": "srv-1"}
SEGMENT = {"name": "sg-1", "zone": "production"}
RULE: dict[str, Any] = {"name": "443", "any_source": False, "any_service": False}
BORDER = {"applied": True, "default_action": "deny", "rules": [RULE]}
BOUNDARY = {"mode": "enforce", "final_action": "deny", "unlabelled_workloads": 0}
ARRIVING = {"ever_arrived": True, "last_arrived": ago(days=0.1), "carries": ["who", "what", "when", "result"]}
IDENTITY = {"pillar": "identity", "name": "trail (management events)"}
DATA = {"pillar": "data", "name": "trail (data events)"}
WATCHED = {"rules_enabled": 4, "alerts_reach": "security_operations"}

MACHINES = (
    Situation(
        item="2-1",
        says="A computer account, found by its host name, is shown as a managed device with an identity of its own.",
        said={"ad": {"Device": SERVER, "MachineAccount": {"enabled": True}}},
        judged={"2-1/hardware-identity": UNKNOWN, "2-1/managed": UNKNOWN},
        mended={
            "mdm": {
                "HardwareIdentity": {"anchor": "tpm"},
                "Enrolment": {"managed": True, "last_contact": ago(days=1)},
            }
        },
    ),
    Situation(
        item="2-2",
        says="Nothing is pending on a system whose maker has stopped making updates.",
        said={
            "ad": {
                "Device": SERVER,
                "OperatingSystem": {"family": "windows", "version": "6.3 (9600)", "supported_until": ago(days=1100)},
            }
        },
        judged={"2-2/os-supported": FAIL},
        mended={"ad": {"OperatingSystem": {"version": "10.0 (26100)", "supported_until": ago(days=-900)}}},
    ),
    Situation(
        item="2-2",
        says="A build that no list knows is taken for a new one.",
        said={"ad": {"Device": SERVER, "OperatingSystem": {"family": "windows", "version": "10.0 (99999)"}}},
        judged={"2-2/os-supported": UNKNOWN},
        mended={"ad": {"OperatingSystem": {"supported_until": ago(days=-900)}}},
    ),
    Situation(
        item="2-2",
        says="The device that reports nowhere is filtered out; the directory still knows it.",
        said={"ad": {"Device": SERVER}},
        judged={"2-2/patched": UNKNOWN, "2-2/policy-met": UNKNOWN},
        mended={
            "mdm": {
                "Patching": {"ever_patched": True, "last_patched": ago(days=3), "pending_security": 0},
                "Enrolment": {"policy_assigned": True, "compliant": True},
            }
        },
    ),
    Situation(
        item="2-3",
        says="There is a gateway for vendors, and this laptop of theirs stands on the office network beside it.",
        said={
            "ad": {"Device": SERVER | {"category": "laptop", "external": True}},
            "gateway": {"DeviceAccess": {"entry": "direct", "relay_compliant": True, "baseline_met": False}},
        },
        judged={"2-3/external-baseline-or-relay": FAIL},
        mended={"gateway": {"DeviceAccess": {"entry": "relay"}}},
    ),
    Situation(
        item="2-3",
        says="Whether a computer of the domain belongs to a vendor was never said, so none of them does.",
        said={
            "ad": {"Device": SERVER | {"external": None}},
            "gateway": {"DeviceAccess": {"entry": "direct", "relay_compliant": False, "baseline_met": False}},
        },
        judged={"2-3/external-baseline-or-relay": UNKNOWN},
        mended={
            "ad": {"Device": {"external": True}},
            "gateway": {"DeviceAccess": {"entry": "relay", "relay_compliant": True}},
        },
    ),
    Situation(
        item="3-1",
        says="Subnets are apart on the drawing, and a rule between them admits anything from anywhere.",
        said={
            "aws": {
                "Segment": SEGMENT,
                "SegmentPolicy": BORDER | {"rules": [RULE, RULE | {"any_source": True, "any_service": True}]},
            }
        },
        judged={"3-1/no-open-rule": FAIL},
        mended={"aws": {"SegmentPolicy": {"rules": [RULE]}}},
    ),
    Situation(
        item="3-1",
        says="One port only, and open to the world.",
        said={"aws": {"Segment": SEGMENT, "SegmentPolicy": BORDER | {"rules": [RULE | {"any_source": True}]}}},
        judged={"3-1/no-open-rule": FAIL},
        mended={"aws": {"SegmentPolicy": {"rules": [RULE]}}},
    ),
    Situation(
        item="3-1",
        says="Half of the item: the border denies, and inside the group everyone reaches everyone.",
        said={
            "aws": {"Segment": SEGMENT, "SegmentPolicy": BORDER, "PeerIsolation": {"peers": "open", "means": "none"}}
        },
        judged={"3-1/peers-restricted": FAIL},
        mended={"aws": {"PeerIsolation": {"peers": "isolated", "means": "group_rules"}}},
    ),
    Situation(
        item="3-1",
        says="A strict list is defined and bound to nothing.",
        said={"aws": {"Segment": SEGMENT, "SegmentPolicy": BORDER | {"applied": False}}},
        judged={"3-1/border-denies": FAIL},
        mended={"aws": {"SegmentPolicy": {"applied": True}}},
    ),
    Situation(
        item="3-1",
        says="The groups were read and the list in front of them was not: what gets through is not known.",
        said={"aws": {"Segment": SEGMENT, "SegmentPolicy": {"applied": None, "default_action": None, "rules": None}}},
        judged={"3-1/border-denies": UNKNOWN, "3-1/no-open-rule": UNKNOWN},
        mended={"aws": {"SegmentPolicy": BORDER}},
    ),
    Situation(
        item="3-1",
        says="Nobody counts what the rules of a group match, so that a dead rule looks like a needed one.",
        said={"aws": {"Segment": SEGMENT, "SegmentPolicy": BORDER}},
        judged={"3-1/rules-used": UNKNOWN},
        mended={"aws": {"SegmentPolicy": {"rules": [RULE | {"ever_hit": True, "last_hit": ago(days=9)}]}}},
    ),
    Situation(
        item="3-2",
        says="Boundaries are drawn in software, and the last rule of this one lets everything by.",
        said={"aws": {"Segment": SEGMENT, "Microsegmentation": BOUNDARY | {"final_action": "allow"}}},
        judged={"3-2/microsegmented": FAIL},
        mended={"aws": {"Microsegmentation": {"final_action": "deny"}}},
    ),
    Situation(
        item="3-2",
        says="Three workloads wear nothing but the default, which nobody wrote for them.",
        said={"aws": {"Segment": SEGMENT, "Microsegmentation": BOUNDARY | {"unlabelled_workloads": 3}}},
        judged={"3-2/microsegmented": FAIL},
        mended={"aws": {"Microsegmentation": {"unlabelled_workloads": 0}}},
    ),
    Situation(
        item="3-2",
        says="A network made by software is called one whose boundaries are: nothing stands around the workloads.",
        said={"aws": {"Segment": SEGMENT, "SegmentPolicy": BORDER, "Microsegmentation": BOUNDARY | {"mode": "none"}}},
        judged={"3-2/microsegmented": FAIL},
        mended={"aws": {"Microsegmentation": {"mode": "enforce"}}},
    ),
    Situation(
        item="3-2",
        says="The groups enforce, and the controller above them says that it only watches.",
        said={
            "aws": {"Segment": SEGMENT, "Microsegmentation": BOUNDARY},
            "fabric": {"Microsegmentation": BOUNDARY | {"mode": "monitor"}},
        },
        judged={"3-2/microsegmented": UNKNOWN},
        mended={"fabric": {"Microsegmentation": {"mode": "enforce"}}},
    ),
    Situation(
        item="3-2",
        says="Which workloads stand inside could not be read, and none without a label was counted.",
        said={"aws": {"Segment": SEGMENT, "Microsegmentation": BOUNDARY | {"unlabelled_workloads": None}}},
        judged={"3-2/microsegmented": UNKNOWN},
        mended={"aws": {"Microsegmentation": {"unlabelled_workloads": 0}}},
    ),
    Situation(
        item="1-6",
        says="The trail is on, and nothing was ever delivered.",
        said={"aws": {"LogSource": IDENTITY, "LogDelivery": {"ever_arrived": False, "carries": ["who"]}}},
        judged={"1-6/logs-arrive": FAIL},
        mended={"aws": {"LogDelivery": {"ever_arrived": True, "last_arrived": ago(days=0.2)}}},
    ),
    Situation(
        item="1-6",
        says="The source fell silent on Friday and nobody noticed.",
        said={"aws": {"LogSource": IDENTITY, "LogDelivery": ARRIVING | {"last_arrived": ago(days=3)}}},
        judged={"1-6/logs-arrive": FAIL},
        mended={"aws": {"LogDelivery": {"last_arrived": ago(days=0.2)}}},
    ),
    Situation(
        item="1-6",
        says="The switch says logging; when it last delivered could not be read.",
        said={"aws": {"LogSource": IDENTITY, "LogDelivery": {"ever_arrived": None, "carries": ["who"]}}},
        judged={"1-6/logs-arrive": UNKNOWN},
        mended={"aws": {"LogDelivery": {"ever_arrived": True, "last_arrived": ago(days=0.2)}}},
    ),
    Situation(
        item="1-6",
        says="Events are stored, and no rule reads them.",
        said={
            "aws": {"LogSource": IDENTITY, "LogDelivery": ARRIVING},
            "siem": {"Detection": {"rules_enabled": 0, "alerts_reach": "nobody"}},
        },
        judged={"1-6/logs-judged": FAIL},
        mended={"siem": {"Detection": WATCHED}},
    ),
    Situation(
        item="1-6",
        says="Who did what is recorded; what the policy decided, and on which attributes, is not.",
        said={"aws": {"LogSource": IDENTITY, "LogDelivery": ARRIVING}},
        judged={"1-6/logs-carry-decisions": FAIL},
        mended={"aws": {"LogDelivery": {"carries": ["dynamic_attributes", "policy_decision", "who"]}}},
    ),
    Situation(
        item="5-7",
        says="Reads of data are recorded and shipped, and nothing on the other side is set up to look at them.",
        said={"aws": {"LogSource": DATA, "LogDelivery": ARRIVING}},
        judged={"5-7/data-logs-judged": UNKNOWN},
        mended={"siem": {"Detection": WATCHED}},
    ),
)
"""Items of devices and networks, and streams of events whatever they speak of."""
