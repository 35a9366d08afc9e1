"""All that a report shows: an assessment, the words of what it judged, and examples."""

from __future__ import annotations

import msgspec

from scanner.model import Level, Outcome, Pillar, RequirementKind, Text
from scanner.result.assessment import Assessment
from scanner.result.crosswalk import CrosswalkText
from scanner.result.lift import LiftText
from scanner.result.selection import SelectionText


class RequirementText(msgspec.Struct, frozen=True, kw_only=True):
    """Words of one requirement."""

    id: str
    kind: RequirementKind
    says: Text
    fix: Text
    check: str = ""
    doc: str = ""
    rule: str = ""
    """The claim in the column algebra, as it was judged."""
    asks: Text | None = None
    """What a document must state; None for checks."""


class ItemText(msgspec.Struct, frozen=True, kw_only=True):
    """Words of one item."""

    id: str
    pillar: Pillar
    level: Level
    function: Text
    title: Text
    says: Text
    fix: Text
    provenance: str
    requirements: list[RequirementText]
    note: Text | None = None
    """What is doubtful about the item in the sources, where something is."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One asset that did not pass, with the sentence that says why and where the bytes lie."""

    item: str
    requirement: str
    use: str
    asset: str
    outcome: Outcome
    sentence: Text
    evidence: list[str]
    """``collection digest / file`` of the rows that were judged."""
    systems: list[str]


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report shows: an assessment, its words, examples of what did not pass, and a second reading."""

    assessment: Assessment
    items: list[ItemText]
    gates: list[RequirementText]
    examples: list[Example]
    systems: dict[str, Text]
    rule_version: str
    root: str
    """Merkle root of the sealed assessment."""
    key: str
    """Identity of the signing key."""
    institution: Text | None = None
    strict: Assessment | None = None
    """The same evidence under the strict baseline, where one was graded beside."""
    generated_by: str = ""
    selection: SelectionText | None = None
    """Where the estate holds an inventory of systems."""
    lift: LiftText | None = None
    crosswalks: list[CrosswalkText] = []
