"""5-3 Classification: content is inventoried, owned and labelled for what it is."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Classification, DataStore


@check(over=DataStore)
def label_follows_content(store: Subject) -> Claim:
    """The store carries a label that a rule or a person chose for its content."""
    classification = store[Classification]
    return Claim(
        applies=True,
        holds=(classification.label != "none") & classification.labelled_by.is_in(["rule", "person"]),
        shows={"label": classification.label, "labelled_by": classification.labelled_by},
    )


@check(over=DataStore)
def content_is_inventoried_and_owned(store: Subject, *, days: int) -> Claim:
    """An owner is named and the content was inventoried within the last days."""
    classification = store[Classification]
    return Claim(
        applies=True,
        holds=classification.has_owner & store.clock.within(classification.inventoried_at, days=days),
        shows={"has_owner": classification.has_owner, "inventoried_at": classification.inventoried_at},
    )
