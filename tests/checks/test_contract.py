"""What every check keeps to, whatever it says: null runs through, every outcome is reached, thresholds stay out."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import checks
from scanner.column import Built, Check, ColumnType, fields_of
from scanner.model import Outcome, Pillar
from tests.checks.world import AS_OF
from tests.checks.worlds import Worlds, enumerate_worlds

PARAMETERS: dict[str, Any] = {
    "anchors": ["tpm", "secure_enclave"],
    "attributes": ["location", "device_health", "risk", "time", "behaviour"],
    "carriers": ["fido2_bound", "smart_card", "platform_bound", "otp_hardware"],
    "carries": ["who", "what", "policy_decision"],
    "channels": ["mail", "web", "removable_storage"],
    "count": 3,
    "days": 30,
    "gates": ["every_session"],
    "hours": 24,
    "kinds": ["virtual", "hardware"],
    "layers": ["store", "field"],
    "methods": ["fido2_bound", "fido2_synced", "smart_card", "platform_bound"],
    "minutes": 60,
    "modes": ["enforced"],
    "ports": [445],
    "protections": ["1.2", "1.3", "ipsec", "ssh"],
    "rules": 1,
    "severities": ["critical", "high"],
}
ITEMS = {Pillar.IDENTITY: 7, Pillar.DEVICE: 7, Pillar.NETWORK: 7, Pillar.APPLICATION: 7, Pillar.DATA: 8}
ALLOWED_IMPORTS = {"__future__", "scanner.model", "scanner.facts", "scanner.column", "checks.event_stream"}
LONGEST = 16
"""Lines of a check at most, with decorator and docstring."""


@cache
def modules() -> list[ModuleType]:
    """Every module under checks, packages left out."""
    found = pkgutil.walk_packages(checks.__path__, "checks.")
    return [importlib.import_module(module.name) for module in found if not module.ispkg]


@cache
def all_checks() -> dict[str, Check[Any]]:
    """Every check by its id."""
    return {item.id: item for module in modules() for item in vars(module).values() if isinstance(item, Check)}


def built_of(name: str) -> Built:
    """The claim of a check with the parameters of this test."""
    item = all_checks()[name]
    return item.build(AS_OF, {parameter: PARAMETERS[parameter] for parameter in item.parameters})


@cache
def worlds_of(name: str) -> Worlds:
    """The small worlds of a check, judged once for all laws."""
    parameters = {parameter: PARAMETERS[parameter] for parameter in all_checks()[name].parameters}
    return enumerate_worlds(built_of(name), parameters)


each_check = pytest.mark.parametrize("name", sorted(all_checks()))
each_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)


@each_check
def test_what_is_not_seen_leaves_the_outcome_or_makes_it_unknown(name: str) -> None:
    worlds = worlds_of(name)
    broken = [
        (worlds.row(world), worlds.outcomes[world], worlds.row(less), worlds.outcomes[less])
        for world, less in worlds.dimmer()
        if worlds.outcomes[less] not in {worlds.outcomes[world], Outcome.UNKNOWN}
    ]
    assert not broken, broken[0]


@each_check
def test_nothing_seen_is_unknown(name: str) -> None:
    worlds = worlds_of(name)
    assert worlds.outcomes[(0,) * len(worlds.fields)] is Outcome.UNKNOWN


@each_check
def test_each_outcome_is_reached(name: str) -> None:
    built = built_of(name)
    conditional = {Outcome.NA} if built.applies.touched.fields else set()
    reached = set(worlds_of(name).outcomes.values())
    assert reached == {Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN} | conditional


@each_check
def test_every_field_decides_somewhere(name: str) -> None:
    worlds = worlds_of(name)
    decisive = {
        place
        for world, less in worlds.dimmer()
        for place, (at, other) in enumerate(zip(world, less, strict=True))
        if at != other and worlds.outcomes[world] is not worlds.outcomes[less]
    }
    assert decisive == set(range(len(worlds.fields)))


@each_check
def test_what_is_judged_can_be_shown_under_its_own_name(name: str) -> None:
    built = built_of(name)
    judged = {
        field for fact, field in built.holds.touched.fields if fields_of(fact)[field].type is not ColumnType.STRUCT_LIST
    }
    assert judged <= built.shows.keys()
    for shown, column in built.shows.items():
        ((_, field),) = column.touched.fields
        assert shown == field
        assert column.type is not ColumnType.STRUCT_LIST


@each_check
def test_a_check_states_one_truth_in_one_sentence_and_few_lines(name: str) -> None:
    item = all_checks()[name]
    assert re.fullmatch(r"[A-Z][^\n]*[^.]\.", item.doc), item.doc
    assert ". " not in item.doc
    assert len(inspect.getsource(item.function).splitlines()) <= LONGEST


@each_check
def test_thresholds_come_from_the_baseline_alone(name: str) -> None:
    item = all_checks()[name]
    _, *rest = inspect.signature(item.function).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in rest)
    assert all(parameter.default is parameter.empty for parameter in rest)
    assert set(item.parameters.values()) <= {int, list[int], list[str]}


@each_module
def test_a_module_names_its_item_or_holds_no_check(module: ModuleType) -> None:
    doc = inspect.getdoc(module) or ""
    holds_checks = any(isinstance(item, Check) for item in vars(module).values())
    number = re.match(r"([1-5])-[1-8] [A-Z][^:\n]*: \S", doc)
    assert (number is not None) == holds_checks, doc
    if number:
        pillar = Pillar(module.__name__.split(".")[1])
        assert int(number[1]) == list(Pillar).index(pillar) + 1
    assert "\n" not in doc


@each_module
def test_a_module_imports_the_vocabulary_and_nothing_else(module: ModuleType) -> None:
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported <= ALLOWED_IMPORTS
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "eval", "exec", "print", "__import__", "input"}


@each_module
def test_a_module_has_a_mirrored_test_that_names_its_checks(module: ModuleType) -> None:
    _, *path = module.__name__.split(".")
    names = {item.function.__name__ for item in vars(module).values() if isinstance(item, Check)}
    mirror = Path(__file__).parent.joinpath(*path[:-1], f"test_{path[-1]}.py")
    told = mirror.read_text(encoding="utf-8") if names else ""
    assert {name for name in names if f"verdicts({name}, cases" in told} == names


def test_each_item_of_the_guideline_has_one_module() -> None:
    numbers = Counter(
        (module.__name__.split(".")[1], match[0])
        for module in modules()
        if (match := re.match(r"[1-5]-[1-8]", inspect.getdoc(module) or ""))
    )
    wanted = {
        (pillar.value, f"{place}-{n}")
        for place, (pillar, count) in enumerate(ITEMS.items(), 1)
        for n in range(1, count + 1)
    }
    assert numbers == Counter(wanted)
