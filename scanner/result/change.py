"""What differs from the previous assessment, and what it can have differed by."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scanner.model import RequirementState, Scene


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
