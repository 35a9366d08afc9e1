"""What the collector speaks of, and how a call is tied to the evidence that it feeds."""

from __future__ import annotations

from dataclasses import dataclass

from collectors.ports.aws import Operation
from scanner.model import promised_facts

OF_ACCOUNT = ("Account", "RootUser", "AccountAdministration", "RoleTrusts")
OF_USER = ("User", "Credentials", "Activity", "Authenticators", "Privilege", "SignIn", "PasswordPolicy")
OF_SEGMENT = ("Segment", "SegmentPolicy", "PeerIsolation", "Microsegmentation")
OF_STORE = ("DataStore", "EncryptionAtRest", "StoreExposure", "Retention")
OF_LOG = ("LogSource", "LogDelivery", "LogForwarding")
_IN_PART = (
    "Privilege.privileged",
    "Privilege.standing",
    "Privilege.residual",
    "SignIn.mfa",
    "SignIn.excluded",
    "Retention.policy",
)
"""Of these facts AWS never says the other fields; they are left to other sources."""

PROMISED = frozenset((*OF_ACCOUNT, *OF_USER, *OF_SEGMENT, *OF_STORE, *OF_LOG, "Placement"))
"""Names of the fact types."""
PROMISES = frozenset((*(PROMISED - promised_facts(_IN_PART)), *_IN_PART))
"""The same as promises: single fields where the rest is left to others."""


@dataclass(frozen=True)
class Source:
    """One call and what it feeds: ``Fact`` where the row is lost without it, ``Fact.field`` where only the field is."""

    call: Operation
    why: str
    feeds: tuple[str, ...]
    implied: bool = False
    """A recording may lack it: it starts something and tells nothing."""

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the fact types that it feeds."""
        return tuple(dict.fromkeys(fed.partition(".")[0] for fed in self.feeds))
