"""Another framework beside the guideline, as an appendix of a report."""

from __future__ import annotations

import msgspec

from scanner.model import Text


class CrosswalkRow(msgspec.Struct, frozen=True, kw_only=True):
    """One element of another framework and the items that speak to it; no items: the guideline does not cover it."""

    title: Text
    items: list[str]
    stages: list[str]
    """Stages of that framework that meeting the items supports."""


class CrosswalkText(msgspec.Struct, frozen=True, kw_only=True):
    """One framework beside the guideline, as an appendix."""

    id: str
    title: Text
    source: str
    proposed: bool
    """Its lines are proposed by us, not printed by the framework's publisher."""
    rows: list[CrosswalkRow]
