"""The result of an assessment as every consumer reads it: the JSON interface, field for field; no I/O."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scanner.model import (
    AlarmWord,
    Effort,
    GapWhy,
    Impact,
    ItemState,
    Level,
    Origin,
    Outcome,
    Pillar,
    RegisterWhy,
    RequirementKind,
    RequirementState,
    Scene,
    ServiceModel,
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


class ReviewCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many reviews count within the days that end at ``as_of``, of how many that the baseline asks for."""

    found: int
    wanted: int
    days: int


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
    reviewed: ReviewCount | None = None
    """Where the baseline asks for a number of reviews."""
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


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption plan says, and whether its day has passed at ``as_of``."""

    pillar: Pillar | None
    """None: all of them."""
    current: Level
    target: Level
    due: str
    status: str
    overdue: bool


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
    document_sha256: str = ""
    plan: PlanRow | None = None
    statement: str = ""
    """What a plan says; other kinds are read where they stand."""
    matched: int | None = None
    """How many of the assets that a valid exception names fail now."""
    beyond: int | None = None
    """How many others fail its requirement now that no exception names."""


class AlarmRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be looked at again about one exception, in all its scenes where ``scene`` is None.

    ``before`` and ``now`` count assets that fail: beyond all exceptions, or among those named (``widened``), or those
    named (``stale``, ``compensation_lost``). For ``expiring``, ``now`` is the whole days that are left.
    """

    entry: str
    word: AlarmWord
    requirement: str
    """For ``compensation_lost`` the one that was to compensate."""
    system: str
    scene: Scene | None
    before: int | None
    now: int
    named: bool = False
    """Counts the assets that the exception names, not those beyond."""
    unknown: int = 0
    """Assets of which it is not known, so that ``now`` may be more."""
    days: int = 0
    """``expiring``: the step that was reached, 30, 14 or 7."""


class ChangeCause(StrEnum):
    """What a result can have changed by, as far as digests tell."""

    FACTS = "facts"
    """What sources say of assets."""
    COVERAGE = "coverage"
    """What could be seen."""
    AGE = "age"
    """The moment of assessment: evidence grew old, or a term ran out, and nothing else differs."""
    SCOPE = "scope"
    """The estate: systems, scenes, selectors, sources, targets."""
    RULE = "rule"
    """The baseline: checks, needs, parameters, maximum ages, items."""
    REGISTERS = "registers"
    CODE = "code"


class ChangeKind(StrEnum):
    """What kind of thing an input change is about."""

    ESTATE = "estate"
    SYSTEM = "system"
    SCENE = "scene"
    SERVICE_MODEL = "service_model"
    TARGET_LEVEL = "target_level"
    MEMBERS = "members"
    SOURCE = "source"
    TARGET = "target"
    POPULATION = "population"
    PRECEDENCE = "precedence"
    BASELINE = "baseline"
    REQUIREMENT = "requirement"
    ENTRY = "entry"
    APPROVER = "approver"
    REGISTER_FILE = "register_file"
    CODE = "code"
    LISTING = "listing"
    """What a target says of one type of fact."""


class ChangeWhat(StrEnum):
    """What became of a thing between two assessments."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RAISED = "raised"
    LOWERED = "lowered"
    CHECK = "check"
    NEED = "need"
    PARAMETERS = "parameters"
    MAX_AGE = "max_age"
    ITEM = "item"
    """The item or gate that asks for it: level, cloud matrix, whether an exercised event is needed."""
    WORDING = "wording"
    """Files of the baseline differ, yet none of its rules."""
    EDITED = "edited"
    SIGNED = "signed"
    UNSIGNED = "unsigned"
    IN_FORCE = "in_force"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    DARK = "dark"
    SEEN = "seen"
    NOT_RECORDED = "not_recorded"
    """The previous assessment does not say, so that neither a change nor its absence can be told."""


class Turn(StrEnum):
    """How a requirement stands beside the previous assessment, gravest first."""

    DARK = "dark"
    """Disproved, and its evidence was lost since."""
    OUT_OF_SCOPE = "out_of_scope"
    """Disproved, and then the estate changed so that it is not looked at as it was."""
    WORSE = "worse"
    """Met before, disproved now."""
    LOST = "lost"
    """Met before, open now."""
    GONE = "gone"
    """Disproved before; the baseline asks for it no more."""
    BETTER = "better"
    """Disproved before, met now."""
    ASSESSED = "assessed"
    """Open before, decided now."""
    EXCEPTED = "excepted"
    """The same without exceptions, another state with them."""


class RuleBasis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What judged one requirement, without its words."""

    check: str = ""
    """Id of the check; the kind where there is none."""
    need: float | None = None
    max_age: int = 0
    """Seconds."""
    parameters: dict[str, str] = {}
    """JSON of each, or its digest where it is long."""
    item: str = ""
    """Digest of what the item or gate is: level, pillar, cloud matrix, whether an exercised event is needed."""
    branches: list[str] = []
    over: str = ""
    reads: list[str] = []
    """Fields that it reads, as ``Fact.field``; a fact alone stands for its keys."""
    sources: list[str] = []
    """Sources that promise any of these facts."""


class SystemBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What the estate says of one system, its names left out."""

    scenes: list[Scene]
    service_model: ServiceModel
    target: Level
    members: dict[str, str]
    """Digest of the selectors by population, or by ``scene/population`` where a scene has its own."""


class TargetBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What a target reads: its source, and a digest of collector, address, promises and options."""

    source: str
    digest: str


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a result rests on, part by part and small, so that the next assessment can tell what changed."""

    rules: dict[str, RuleBasis]
    """By address of the requirement."""
    systems: dict[str, SystemBasis]
    targets: dict[str, TargetBasis]
    populations: dict[str, list[str]]
    """Defining sources, where the estate names them."""
    precedence: dict[str, list[str]]
    entries: dict[str, str]
    """Digest of every register entry as written, its signature left out, by id."""
    approvers: dict[str, str]
    """Digest of person and key by name."""
    register_files: dict[str, str]
    """SHA-256 of every register file and signature."""
    chain: str = ""
    """SHA-256 of the last link of the registers' chain; empty where there is none."""
    engine: str
    """What computed ``said``; only values of one engine are comparable."""
    said: dict[str, dict[str, str]]
    """By target and ``Fact.field``: rows and a hash over keys and values, times of observation left out."""


class ChangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an assessment depends on and that is not as it was in the previous one."""

    cause: ChangeCause
    kind: ChangeKind
    subject: str
    what: ChangeWhat
    was: str = ""
    now: str = ""


class RequirementChange(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement in one scope that stands otherwise than in the previous assessment."""

    system: str
    scene: Scene
    item: str
    requirement: str
    was: RequirementState
    now: RequirementState | None
    """None where the assessment does not hold it any more."""
    last_proved: str | None
    turn: Turn = Turn.WORSE
    causes: list[ChangeCause] = []
    """Every cause that can explain it; several where they cannot be told apart."""
    not_recorded: list[ChangeCause] = []
    """Causes that can be neither named nor ruled out, because the previous assessment does not say."""


class Regression(RequirementChange, frozen=True, kw_only=True):
    """A requirement that stands worse than in the previous assessment, or was disproved and not observed again."""

    lost: dict[str, str] = {}
    """What the scope lacks or has otherwise since it was disproved, by name, with the digest that it had."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs from the previous assessment, besides the regressions."""

    inputs: list[ChangeRow] = []
    """Changes of scope, rule, registers, code and coverage."""
    requirements: list[RequirementChange] = []


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
    alarms: list[AlarmRow] = []
    regressions: list[Regression] = []
    scopes: list[ScopeRow] = []
    unassigned: list[Unassigned] = []
    errors: list[str] = []
    """Uses that crashed, each with its reason; any makes the exit code 1."""
    changes: Changes | None = None
    """None without a previous assessment."""
    basis: Basis | None = None
    """None in assessments made before it was recorded."""


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


class LiftCost(msgspec.Struct, frozen=True, kw_only=True):
    """What meeting a requirement takes; None where nobody says, ``reason`` where the institution does."""

    effort: Effort | None
    impact: Impact | None
    reason: str = ""


class LiftNeed(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement between floors and aims of one scope, for all the pillars that it holds back."""

    requirement: str
    item: str
    level: Level
    why: ItemState
    population: int
    failing: int
    unknown: int
    pillars: list[Pillar]
    step: str
    """What to do: the requirement itself, or the cheapest branch of a choice."""
    cost: LiftCost
    others: list[str]
    """Other branches of the choice."""
    look_first: bool
    """Nothing that was seen fails, so that seeing it may be all that is lacking."""


class LiftPillar(msgspec.Struct, frozen=True, kw_only=True):
    """Where one pillar of a scope stands below its aim, and how many requirements lie between."""

    pillar: Pillar
    floor: Level
    aim: Level
    needs: int


class LiftScope(msgspec.Struct, frozen=True, kw_only=True):
    """What lifts one system in one scene; ``needs`` holds the cheapest of ``total``."""

    system: str
    scene: Scene
    pillars: list[LiftPillar]
    needs: list[LiftNeed]
    total: int


class LiftSingle(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement over the whole institution; ``lifts`` counts the pillars that it lifts alone."""

    requirement: str
    item: str
    cost: LiftCost
    pillars: int
    scopes: int
    lifts: int


class LiftBundle(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that, met wherever they are open, bring so many pillars to their aim."""

    requirements: list[str]
    pillars: int
    scopes: int
    levels: list[Level]
    exact: bool


class LiftText(msgspec.Struct, frozen=True, kw_only=True):
    """What lifts the institution to its targets; lists hold the first of so many as the totals say."""

    pillars: int
    below: int
    scopes_below: int
    singles: list[LiftSingle]
    singles_total: int
    bundles: list[LiftBundle]
    steps: list[LiftBundle]
    scopes: list[LiftScope]
    fixes: dict[str, Text]
    """How to mend, by the step of a need."""


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
