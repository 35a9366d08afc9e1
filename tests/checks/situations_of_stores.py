"""Known false passes about stores of data and the way to them, as a directory and a cloud account tell them."""

from __future__ import annotations

from typing import Any

from scanner.model import Outcome
from tests.checks.situation import Situation, ago

FAIL, UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN
STORE: dict[str, Any] = {"category": "bucket", "sensitive": True, "name": "ledger"}
SEALED = {
    "layer": "store",
    "key_holder": "institution",
    "rotation": "scheduled",
    "key_apart": True,
    "copies_encrypted": True,
}
READ_BY_NAME = {"ever_arrived": True, "last_arrived": ago(days=0.1), "carries": ["data_access", "when", "who"]}

STORES = (
    Situation(
        item="3-4",
        says="The store offers encryption and serves whoever comes without.",
        said={"aws": {"DataStore": STORE, "StoreExposure": {"public": False, "clear_transport": True}}},
        judged={"3-4/stores-refuse-clear-text": FAIL},
        mended={"aws": {"StoreExposure": {"clear_transport": False}}},
    ),
    Situation(
        item="3-4",
        says="The policy of the store may not be read, and a store without a policy looks the same.",
        said={"aws": {"DataStore": STORE, "StoreExposure": {"public": False}}},
        judged={"3-4/stores-refuse-clear-text": UNKNOWN},
        mended={"aws": {"StoreExposure": {"clear_transport": False}}},
    ),
    Situation(
        item="3-4",
        says="Nobody marked the store as sensitive, and so it is held to nothing.",
        said={"aws": {"DataStore": STORE | {"sensitive": None}, "StoreExposure": {"clear_transport": True}}},
        judged={"3-4/stores-refuse-clear-text": UNKNOWN},
        mended={"aws": {"DataStore": {"sensitive": True}, "StoreExposure": {"clear_transport": False}}},
    ),
    Situation(
        item="3-4",
        says="The domain answered the scan over TLS; what it takes from others lies in a policy that was not read.",
        said={"ad": {"Directory": {"name": "corp.example"}}},
        judged={"3-4/directory-signed": UNKNOWN},
        mended={"policies": {"Directory": {"ldap_signing": "required", "channel_binding": "always"}}},
    ),
    Situation(
        item="5-1",
        says="An access list opens the store, and nothing in front of it shuts it.",
        said={"aws": {"DataStore": STORE, "StoreExposure": {"public": True, "clear_transport": False}}},
        judged={"5-1/stores-closed": FAIL},
        mended={"aws": {"StoreExposure": {"public": False}}},
    ),
    Situation(
        item="5-1",
        says="The access list may not be read, and a store whose list is not seen is called closed.",
        said={"aws": {"DataStore": STORE, "StoreExposure": {"clear_transport": False}}},
        judged={"5-1/stores-closed": UNKNOWN},
        mended={"aws": {"StoreExposure": {"public": False}}},
    ),
    Situation(
        item="5-1",
        says="The volume is encrypted and has no door, and a snapshot of it is shared with everybody.",
        said={
            "aws": {
                "DataStore": STORE | {"category": None, "name": "vol-1"},
                "StoreExposure": {"public": True, "clear_transport": False},
                "EncryptionAtRest": {"layer": "disk"},
            }
        },
        judged={"5-1/stores-closed": FAIL},
        mended={"aws": {"StoreExposure": {"public": False}}},
    ),
    Situation(
        item="5-4",
        says="The replica that repeats every deletion is called a backup.",
        said={
            "aws": {"DataStore": STORE},
            "backup": {
                "Backup": {
                    "copies": [{"method": "replica", "place": "other_site", "same_administrators": False}],
                    "ever_restored": False,
                }
            },
        },
        judged={"5-4/off-site": FAIL, "5-4/restored": FAIL},
        mended={
            "backup": {
                "Backup": {
                    "copies": [{"method": "backup", "place": "other_site", "same_administrators": False}],
                    "ever_restored": True,
                    "restored_at": ago(days=100),
                }
            }
        },
    ),
    Situation(
        item="5-4",
        says="The cloud keeps data in several places by itself, it is said; neither copies nor zones were read.",
        said={"aws": {"DataStore": STORE}},
        judged={"5-4/survives-locally": UNKNOWN, "5-4/off-site": UNKNOWN, "5-4/restored": UNKNOWN},
        mended={
            "backup": {
                "Availability": {"local": "multi_zone"},
                "Backup": {
                    "copies": [{"method": "backup", "place": "other_site", "same_administrators": False}],
                    "ever_restored": True,
                    "restored_at": ago(days=100),
                },
            }
        },
    ),
    Situation(
        item="5-6",
        says="Encryption of the disk is offered against those who may read the store anyway.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"layer": "disk"}}},
        judged={"5-6/encrypted": FAIL},
        mended={"aws": {"EncryptionAtRest": {"layer": "store"}}},
    ),
    Situation(
        item="5-6",
        says="Every host has its disks encrypted; how the store on one of them keeps its content was never looked at.",
        said={"aws": {"DataStore": STORE}},
        judged={"5-6/encrypted": UNKNOWN, "5-6/keys-held": UNKNOWN},
        mended={"aws": {"EncryptionAtRest": SEALED}},
    ),
    Situation(
        item="5-6",
        says="The default speaks of new objects; what lay there before may lie in the clear.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"layer": None}}},
        judged={"5-6/encrypted": UNKNOWN},
        mended={"aws": {"EncryptionAtRest": {"layer": "store"}}},
    ),
    Situation(
        item="5-6",
        says="The store is encrypted, and its exports and snapshots are not.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"copies_encrypted": False}}},
        judged={"5-6/encrypted": FAIL},
        mended={"aws": {"EncryptionAtRest": {"copies_encrypted": True}}},
    ),
    Situation(
        item="5-6",
        says="Nobody looked at the copies of an encrypted store.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"copies_encrypted": None}}},
        judged={"5-6/encrypted": UNKNOWN},
        mended={"aws": {"EncryptionAtRest": {"copies_encrypted": True}}},
    ),
    Situation(
        item="5-6",
        says="The provider's default key is called key management.",
        said={
            "aws": {
                "DataStore": STORE,
                "EncryptionAtRest": SEALED | {"key_holder": "provider_default", "rotation": None},
            }
        },
        judged={"5-6/keys-held": FAIL},
        mended={"aws": {"EncryptionAtRest": {"key_holder": "institution", "rotation": "scheduled"}}},
    ),
    Situation(
        item="5-6",
        says="The institution's own key lies beside the data: who runs the store may use it, for all that was weighed.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"key_apart": None}}},
        judged={"5-6/keys-held": UNKNOWN},
        mended={"aws": {"EncryptionAtRest": {"key_apart": True}}},
    ),
    Situation(
        item="5-6",
        says="The institution made the key once and never changed it.",
        said={"aws": {"DataStore": STORE, "EncryptionAtRest": SEALED | {"rotation": "never"}}},
        judged={"5-6/keys-held": FAIL},
        mended={"aws": {"EncryptionAtRest": {"rotation": "scheduled"}}},
    ),
    Situation(
        item="5-7",
        says="The trail of the account tells who changed the store, not who read it.",
        said={
            "aws": {"DataStore": STORE},
            "siem": {"LogDelivery": READ_BY_NAME | {"carries": ["what", "when", "who"]}},
        },
        judged={"5-7/data-logs-carry": FAIL},
        mended={"siem": {"LogDelivery": {"carries": ["data_access", "who"]}}},
    ),
    Situation(
        item="5-7",
        says="Reads are recorded at the store, and never leave it.",
        said={"aws": {"DataStore": STORE}, "siem": {"LogDelivery": {"ever_arrived": False, "carries": []}}},
        judged={"5-7/data-logs-arrive": FAIL, "5-7/data-logs-carry": FAIL},
        mended={"siem": {"LogDelivery": READ_BY_NAME}},
    ),
    Situation(
        item="5-7",
        says="A trail of data events exists in the account; that it speaks of this store was not shown.",
        said={"aws": {"DataStore": STORE}},
        judged={"5-7/data-logs-arrive": UNKNOWN, "5-7/data-logs-carry": UNKNOWN},
        mended={"siem": {"LogDelivery": READ_BY_NAME}},
    ),
    Situation(
        item="5-8",
        says="The rule stands on paper, or switched off beside the store.",
        said={
            "aws": {"DataStore": STORE, "Retention": {"policy": "on_paper"}},
            "backup": {"Retention": {"last_run": ago(days=5), "covers_copies": True}},
        },
        judged={"5-8/retention": FAIL},
        mended={"aws": {"Retention": {"policy": "executing"}}},
    ),
    Situation(
        item="5-8",
        says="A lifecycle rule is switched on; nobody saw that it removed anything, or whether copies go too.",
        said={"aws": {"DataStore": STORE, "Retention": {"policy": "executing"}}},
        judged={"5-8/retention": UNKNOWN},
        mended={"backup": {"Retention": {"last_run": ago(days=5), "covers_copies": True}}},
    ),
    Situation(
        item="5-8",
        says="Content goes when its time is over, and its backups stay.",
        said={
            "aws": {"DataStore": STORE, "Retention": {"policy": "executing"}},
            "backup": {"Retention": {"last_run": ago(days=5), "covers_copies": False}},
        },
        judged={"5-8/retention": FAIL},
        mended={"backup": {"Retention": {"covers_copies": True}}},
    ),
)
"""Items 3-4 and 5-1 to 5-8."""
