"""Rows for 5-1: leak prevention that enforces everywhere, or is being tried out."""

from __future__ import annotations

from checks.data.leak_prevention import device_policy_is_enforced, stores_are_closed_to_the_public
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

LAPTOP = {"Device.external": False, "Device.category": "laptop"}
CHANNELS = ["mail", "web", "removable_storage"]


def test_policy_enforces_on_every_channel() -> None:
    sound = LAPTOP | {
        "LeakPrevention.mode": "enforce",
        "LeakPrevention.channels": ["mail", "print", "removable_storage", "web"],
    }
    cases: dict[str, Case] = {
        "every channel": (Outcome.PASS, sound),
        "test mode": (Outcome.FAIL, sound | {"LeakPrevention.mode": "test"}),
        "mail only": (Outcome.FAIL, sound | {"LeakPrevention.channels": ["mail"]}),
        "outside the pilot group": (Outcome.FAIL, LAPTOP | {"LeakPrevention.mode": "off"}),
        "channels not seen": (Outcome.UNKNOWN, LAPTOP | {"LeakPrevention.mode": "enforce"}),
        "nothing seen": (Outcome.UNKNOWN, LAPTOP),
        "server": (Outcome.NA, sound | {"Device.category": "server", "LeakPrevention.mode": "off"}),
        "foreign device": (Outcome.NA, sound | {"Device.external": True, "LeakPrevention.mode": "off"}),
    }
    assert verdicts(device_policy_is_enforced, cases, channels=CHANNELS) == expected(cases)


def test_store_is_not_everybodys() -> None:
    cases: dict[str, Case] = {
        "closed": (Outcome.PASS, {"StoreExposure.public": False}),
        "open": (Outcome.FAIL, {"StoreExposure.public": True}),
        "policy or block not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(stores_are_closed_to_the_public, cases) == expected(cases)
