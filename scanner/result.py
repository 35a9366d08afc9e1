"""The result of an assessment as every consumer reads it: the JSON interface, field for field; no I/O."""

from __future__ import annotations

import msgspec

from scanner.model import (
    GapWhy,
    ItemState,
    Level,
    Origin,
    Outcome,
    Pillar,
    RegisterWhy,
    RequirementKind,
    RequirementState,
    Scene,
)

SCHEMA_VERSION = 1


class BaselineRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which baseline graded, by identity and digest."""

    id: str
    version: str
    digest: str


class CollectionRef(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed collection that the assessment rests on."""

    target: str
    source: str
    collector: str
    origin: Origin
    collected_at: str
    complete: bool
    facts: int
    gaps: int
    digest: str
    identities: list[str] = []


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A level as an interval: proven at least, possible at most."""

    floor: Level
    ceiling: Level


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The lowest floor and ceiling of all grades, without and with accepted exceptions."""

    without_exceptions: Span
    with_exceptions: Span


class RequirementResult(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement in one scope. Counts are assets; for documents they are zero."""

    id: str
    kind: RequirementKind
    state: RequirementState
    origin: list[Origin] = []
    population: int = 0
    assessed: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    excepted: int = 0
    over: str = ""
    use: str = ""
    closed: bool = True
    need: float | None = None
    state_with_exceptions: RequirementState | None = None
    why: list[str] = []
    """Gap whys that keep a check open, or a register why; sorted, distinct."""
    entry: str | None = None
    """Register entry that satisfies or disproves a document requirement."""
    last_proved: str | None = None
    branches: list[RequirementResult] = []


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """One item in one scope."""

    id: str
    level: Level
    state: ItemState
    reason: str
    last_proved: str | None
    requirements: list[RequirementResult]


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that the text of a level asks for before its items count."""

    level: Level
    state: RequirementState
    requirements: list[RequirementResult]


class Blocking(msgspec.Struct, frozen=True, kw_only=True):
    """One thing between the floor and the next level."""

    item: str
    """Item id, or ``gate II`` / ``gate III``."""
    level: Level
    state: str
    requirements: list[str]


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: system x scene x pillar."""

    system: str
    scene: Scene
    pillar: Pillar
    floor: Level
    ceiling: Level
    floor_with_exceptions: Level
    ceiling_with_exceptions: Level
    target: Level
    passed_over: list[Level]
    gates: list[GateResult]
    blocking: list[Blocking]
    items: list[ItemResult]


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be seen, with where it was looked for."""

    target: str
    collector: str
    fact: str
    field: str | None
    asset: str | None
    why: GapWhy
    detail: str
    count: int


class RegisterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One register entry and how it counts at ``as_of``."""

    id: str
    kind: str
    requirement: str
    system: str
    scenes: list[Scene]
    owner: str
    approver: str
    made_at: str
    expires_at: str
    document: str
    counts: bool
    why: RegisterWhy | None
    detail: str = ""
    assets: int = 0


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that stands worse than in the previous assessment, or stayed disproved with its source dark."""

    system: str
    scene: Scene
    item: str
    requirement: str
    was: RequirementState
    now: RequirementState
    last_proved: str | None


class ScopeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Membership of one population in one scope."""

    system: str
    scene: Scene
    population: str
    members: int
    undetermined: int
    closed: bool
    note: str = ""


class Unassigned(msgspec.Struct, frozen=True, kw_only=True):
    """Assets that no system claims."""

    population: str
    count: int
    examples: list[str]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed assessment; the JSON that ``assess --json`` prints."""

    schema_version: int
    assessment: str
    path: str
    institution: str
    as_of: str
    baseline: BaselineRef
    estate_digest: str
    registers_digest: str
    code: str
    previous: str | None
    collections: list[CollectionRef]
    headline: Headline
    grades: list[Grade]
    gaps: list[GapRow]
    registers: list[RegisterRow] = []
    regressions: list[Regression] = []
    scopes: list[ScopeRow] = []
    unassigned: list[Unassigned] = []
    errors: list[str] = []
    """Uses that crashed, each with its reason; any makes the exit code 1."""


class FindingScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding means in one scope."""

    system: str
    scene: Scene
    member: bool | None
    outcome: Outcome


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a check on one asset, as ``findings --json`` prints it."""

    id: str
    check: str
    use: str
    asset: str
    outcome: Outcome
    why: list[str]
    evidence: dict[str, object]
    observed_at: str | None
    scopes: list[FindingScope]


class Text(msgspec.Struct, frozen=True, kw_only=True, rename={"zh_tw": "zh-TW"}):
    """The same words in both languages."""

    zh_tw: str
    en: str

    def in_language(self, language: str) -> str:
        """The words in ``zh-TW`` or ``en``."""
        return self.zh_tw if language == "zh-TW" else self.en


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


class SelectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One scene of the funnel: pairs of system and scene that pass each step, and those not decided."""

    scene: Scene
    in_scene: int
    high_risk: int
    low_impact: int
    undecided: int


class ProposalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pair worth beginning with, in the order of the ranking."""

    system: str
    scene: Scene
    risk: str
    impact: str


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of a person in place of a rule's."""

    system: str
    scene: Scene
    holds: bool
    reason: str
    decided_by: str
    decided_on: str


class SelectionText(msgspec.Struct, frozen=True, kw_only=True):
    """Which systems come first, by which methods and readings."""

    systems: int
    risk: str
    impact: str
    readings: dict[str, bool]
    funnel: list[SelectionRow]
    proposals: list[ProposalRow]
    decisions: list[DecisionRow]
    unseparated: list[str]


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
    crosswalks: list[CrosswalkText] = []
