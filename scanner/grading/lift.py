"""What lifts a grade: per scope and pillar the requirements between its floor and a level, cheapest first; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scanner.grading.grade import DOCUMENTS, item_state
from scanner.guideline.nouns import Baseline, Requirement
from scanner.institution.costs import StatedCost
from scanner.model import Effort, Impact, ItemState, Level, Pillar, RequirementKind, RequirementState, Scene
from scanner.result.grade import Grade, RequirementResult

LADDER = tuple(level for level in Level if level is not Level.NONE)


@dataclass(frozen=True)
class Cost:
    """What meeting a requirement takes; None where nobody says. ``reason`` is the institution's, where it says so."""

    effort: Effort | None = None
    impact: Impact | None = None
    reason: str = ""

    @property
    def order(self) -> tuple[int, int]:
        """Effort first, then impact; what nobody states comes last."""
        return (
            len(Effort) if self.effort is None else self.effort.rank,
            len(Impact) if self.impact is None else self.impact.rank,
        )


@dataclass(frozen=True)
class Branch:
    """One way to meet a choice. ``spoken_against``: what was seen or signed contradicts it."""

    address: str
    cost: Cost
    spoken_against: bool = False


@dataclass(frozen=True)
class Need:
    """One requirement that must become met, as it stands in one scope."""

    address: str
    item: str
    """Item id, or ``gate II``."""
    level: Level
    kind: RequirementKind
    state: RequirementState
    why: ItemState
    """not_met, needs_attestation, not_assessed or undetermined."""
    reasons: tuple[str, ...]
    """Gap whys, or why a document does not count."""
    population: int
    failing: int
    unknown: int
    step: Branch
    """What to do: the requirement itself, or the cheapest branch of a choice."""
    others: tuple[Branch, ...] = ()
    """The other branches of the choice."""

    @property
    def look_first(self) -> bool:
        """Nothing that was seen fails: what was not seen may be as it should be, and seeing it comes first."""
        return self.why in {ItemState.UNDETERMINED, ItemState.NOT_ASSESSED} and self.failing == 0


@dataclass(frozen=True)
class Cell:
    """One system x scene x pillar: where it stands, where it is asked to stand, and what lies between."""

    system: str
    scene: Scene
    pillar: Pillar
    floor: Level
    ceiling: Level
    asked: Level
    aim: Level
    """The highest level up to the one asked for that has items here; levels without any are passed over."""
    needs: tuple[Need, ...]
    """Cheapest first; all of them must become met. Empty where the aim is reached."""

    @property
    def scope(self) -> tuple[str, Scene]:
        """System and scene."""
        return self.system, self.scene


class Prices:
    """What each requirement of a baseline costs, as the institution or else the baseline says."""

    def __init__(self, baseline: Baseline, stated: Mapping[str, StatedCost]) -> None:
        self._requirements = {each.address: each for each in baseline.requirements()}
        self._stated = stated

    def requirement(self, address: str) -> Requirement | None:
        """Its words; None where the baseline does not know the address."""
        return self._requirements.get(address)

    def cost(self, address: str) -> Cost:
        """What meeting it takes."""
        requirement = self._requirements.get(address)
        own = Cost() if requirement is None else Cost(requirement.effort, requirement.impact)
        told = self._stated.get(address)
        if told is None:
            return own
        return Cost(told.effort or own.effort, told.impact or own.impact, told.reason)


def cells(grades: Iterable[Grade], prices: Prices, target: Level | None = None, *, onward: bool = False) -> list[Cell]:
    """What lies between every grade and ``target``: the target of its system where None, the next level ``onward``."""
    return [_cell(grade, prices, target, onward) for grade in grades]


def _cell(grade: Grade, prices: Prices, target: Level | None, onward: bool) -> Cell:
    carried = [level for level in LADDER if level not in grade.passed_over]
    if onward:
        above = [level for level in carried if level.rank > grade.floor.rank]
        asked = above[0] if above else grade.floor
    else:
        asked = target or grade.target
    aim = max(
        (level for level in carried if level.rank <= asked.rank), default=Level.NONE, key=lambda level: level.rank
    )
    needs = sorted(_needs(grade, aim, prices), key=_cheapest) if aim.rank > grade.floor.rank else []
    return Cell(grade.system, grade.scene, grade.pillar, grade.floor, grade.ceiling, asked, aim, tuple(needs))


def _cheapest(need: Need) -> tuple[tuple[int, int], int, str]:
    return need.step.cost.order, need.level.rank, need.address


def _needs(grade: Grade, aim: Level, prices: Prices) -> Iterator[Need]:
    for item in grade.items:
        if item.level.rank <= aim.rank and item.state is not ItemState.NOT_APPLICABLE:
            yield from _open(item.requirements, item.id, item.id, item.level, prices)
    for gate in grade.gates:
        if gate.level.rank <= aim.rank:
            yield from _open(gate.requirements, gate.level.value, f"gate {gate.level.value}", gate.level, prices)


def _open(
    requirements: Sequence[RequirementResult], owner: str, item: str, level: Level, prices: Prices
) -> Iterator[Need]:
    for found in requirements:
        if found.state is RequirementState.MET:
            continue
        address = f"{owner}/{found.id}"
        step, others = _ways(found, owner, prices)
        leaves = list(_leaves(found))
        yield Need(
            address=address,
            item=item,
            level=level,
            kind=found.kind,
            state=found.state,
            why=item_state([found])[0],
            reasons=tuple(sorted({why for leaf in leaves for why in leaf.why})),
            population=sum(leaf.population for leaf in leaves),
            failing=sum(leaf.failed for leaf in leaves),
            unknown=sum(leaf.unknown for leaf in leaves),
            step=step,
            others=others,
        )


def _leaves(found: RequirementResult) -> Iterator[RequirementResult]:
    if not found.branches:
        yield found
    for branch in found.branches:
        yield from _leaves(branch)


def _ways(found: RequirementResult, owner: str, prices: Prices) -> tuple[Branch, tuple[Branch, ...]]:
    """The cheapest way to meet a requirement, and the others.

    A document that says "there is none" must not be advised where a check beside it has seen one, nor where somebody
    has signed the contrary: such a branch comes after those that nothing speaks against.
    """
    if not found.branches:
        address = f"{owner}/{found.id}"
        return Branch(address, prices.cost(address)), ()
    seen = any(leaf.assessed for leaf in _leaves(found))
    ways = []
    for branch in found.branches:
        cheapest, rest = _ways(branch, owner, prices)
        against = branch.kind in DOCUMENTS and (seen or branch.state is RequirementState.NOT_MET)
        ways += [Branch(way.address, way.cost, way.spoken_against or against) for way in (cheapest, *rest)]
    ways.sort(key=lambda way: (way.spoken_against, way.cost.order, way.address))
    return ways[0], tuple(ways[1:])
