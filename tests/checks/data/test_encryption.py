"""Rows for 5-6: content encrypted against insiders under one's own keys, or a ticked box."""

from __future__ import annotations

from checks.data.encryption import keys_are_held_by_institution, sensitive_content_is_encrypted
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

SENSITIVE = {"DataStore.sensitive": True}
HARMLESS = {"DataStore.sensitive": False}


def test_content_and_copies_are_encrypted_above_the_disk() -> None:
    sound = SENSITIVE | {"EncryptionAtRest.layer": "store", "EncryptionAtRest.copies_encrypted": True}
    cases: dict[str, Case] = {
        "in the store": (Outcome.PASS, sound),
        "in the field": (Outcome.PASS, sound | {"EncryptionAtRest.layer": "field"}),
        "disk encryption offered against insiders": (Outcome.FAIL, sound | {"EncryptionAtRest.layer": "disk"}),
        "none": (Outcome.FAIL, sound | {"EncryptionAtRest.layer": "none"}),
        "plain exports and backups": (Outcome.FAIL, sound | {"EncryptionAtRest.copies_encrypted": False}),
        "copies not seen": (Outcome.UNKNOWN, SENSITIVE | {"EncryptionAtRest.layer": "store"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
        "harmless store": (Outcome.NA, sound | HARMLESS | {"EncryptionAtRest.layer": "none"}),
    }
    assert verdicts(sensitive_content_is_encrypted, cases, layers=["store", "field"]) == expected(cases)


def test_keys_are_the_institutions_own() -> None:
    sound = SENSITIVE | {
        "EncryptionAtRest.key_holder": "institution",
        "EncryptionAtRest.key_apart": True,
        "EncryptionAtRest.rotation": "scheduled",
    }
    cases: dict[str, Case] = {
        "held, apart, renewed": (Outcome.PASS, sound),
        "provider's default key called key management": (
            Outcome.FAIL,
            sound | {"EncryptionAtRest.key_holder": "provider_default"},
        ),
        "key beside the data": (Outcome.FAIL, sound | {"EncryptionAtRest.key_apart": False}),
        "never renewed": (Outcome.FAIL, sound | {"EncryptionAtRest.rotation": "never"}),
        "rotation not seen": (Outcome.UNKNOWN, sound | {"EncryptionAtRest.rotation": None}),
        "nothing seen": (Outcome.UNKNOWN, SENSITIVE),
        "harmless store": (Outcome.NA, sound | HARMLESS | {"EncryptionAtRest.key_holder": "none"}),
    }
    assert verdicts(keys_are_held_by_institution, cases) == expected(cases)
