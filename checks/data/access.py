"""5-5 Access to data: what changes about the reader decides, and the reader proves themself again."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import DataAccess, DataStore


@check(over=DataStore)
def dynamic_attributes_decide(store: Subject, *, attributes: list[str]) -> Claim:
    """A dynamic attribute of the reader is a condition for reaching the sensitive store."""
    access = store[DataAccess]
    return Claim(
        applies=store.sensitive,
        holds=access.conditions.has_any(attributes),
        shows={"conditions": access.conditions},
    )


@check(over=DataStore)
def reader_authenticates_again(store: Subject) -> Claim:
    """The reader reaches sensitive content as themself and proves it again on the way."""
    access = store[DataAccess]
    return Claim(
        applies=store.sensitive,
        holds=(access.reauthentication == "on_sensitive_access") & (access.reader_identity == "person"),
        shows={"reauthentication": access.reauthentication, "reader_identity": access.reader_identity},
    )
