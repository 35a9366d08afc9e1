from __future__ import annotations

import itertools
import random

import pytest

from collectors.advisories.feed import Package
from collectors.advisories.oval.criteria import Truth, checked, exists, joined, turned
from collectors.advisories.oval.pattern import matches
from tests.collectors.advisories.oval.documents import (
    DEBIAN_RELEASE,
    bookworm,
    custom,
    definition,
    document,
    feed,
    laid,
    package_test,
    repairs,
)

OLD = package_test("old", "bash", "9")
NEW = package_test("new", "bash", "1")
GONE = package_test("gone", "zsh", "9")
UNKNOWN = {
    "tests": '<linux:partition_test id="t:unknown" version="1" check="all" comment="c">'
    '<linux:object object_ref="o:unknown"/></linux:partition_test>',
    "objects": '<linux:partition_object id="o:unknown" version="1"/>',
}
BASH = bookworm(Package("bash", "5.2.15-2", "bash"))
TRUE, FALSE, OPEN = (
    '<criterion test_ref="t:old"/>',
    '<criterion test_ref="t:new"/>',
    '<criterion test_ref="t:unknown"/>',
)


def held(criteria: str, **other: str) -> Truth:
    """What one definition comes to on a host with bash alone."""
    found = repairs(custom(criteria, OLD, NEW, GONE, UNKNOWN, **other), BASH)
    return False if not found else None if set(found.values()) == {None} else True


def under(operator: str, *parts: str, negate: str = "") -> str:
    return f'<criteria operator="{operator}"{negate}>{"".join(parts)}</criteria>'


@pytest.mark.parametrize(
    ("criteria", "value"),
    [
        (under("AND", TRUE, TRUE), True),
        (under("AND", TRUE, OPEN), None),
        (under("AND", FALSE, OPEN), False),
        (under("AND", OPEN, FALSE), False),
        (under("OR", TRUE, OPEN), True),
        (under("OR", FALSE, OPEN), None),
        (under("OR", FALSE, FALSE), False),
        (under("ONE", TRUE, FALSE), True),
        (under("ONE", TRUE, TRUE), False),
        (under("XOR", TRUE, FALSE), True),
        (under("NAND", TRUE, TRUE), None),
        (under("AND"), None),
        (under("AND", TRUE, "<criterium/>"), None),
        (under("AND", TRUE, '<criterion test_ref="t:missing"/>'), None),
        (under("AND", FALSE, '<criterion test_ref="t:missing"/>'), False),
        (under("AND", TRUE, '<extend_definition definition_ref="oval:org.debian:def:77"/>'), None),
        ("", None),
    ],
)
def test_what_nobody_can_answer_is_neither_true_nor_false(criteria: str, value: Truth) -> None:
    assert held(criteria) is value


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (under("AND", '<criterion test_ref="t:new" negate="true"/>'), {None: None}),
        (under("AND", '<criterion test_ref="t:old" negate="true"/>'), {}),
        (under("AND", '<criterion test_ref="t:gone" negate="true"/>'), {None: None}),
        (under("AND", '<criterion test_ref="t:unknown" negate="true"/>'), {None: None}),
        (under("AND", TRUE, '<criterion test_ref="t:gone" negate="true"/>'), {"bash": True}),
        (under("OR", FALSE, negate=' negate="true"'), {None: None}),
        (under("AND", TRUE, negate=' negate="perhaps"'), {None: None}),
    ],
)
def test_what_is_denied_is_turned_and_no_package_is_blamed_for_it(
    criteria: str, found: dict[str | None, bool | None]
) -> None:
    assert repairs(custom(criteria, OLD, NEW, GONE, UNKNOWN), BASH) == found


def test_a_definition_that_extends_another_takes_its_result() -> None:
    extended = definition(2, under("AND", TRUE), kind="inventory")
    extends = '<extend_definition definition_ref="oval:org.debian:def:2"{}/>'
    assert held(under("AND", extends.format("")), more=extended) is True
    assert held(under("AND", extends.format(' negate="true"')), more=extended) is False


def test_only_flaws_and_missing_patches_are_told() -> None:
    for kind, value in (("patch", True), ("vulnerability", True), ("inventory", False), ("compliance", False)):
        assert held(under("AND", TRUE), kind=kind) is value


def test_what_no_host_tells_is_counted_by_what_it_asks() -> None:
    known = feed(custom(under("AND", OPEN), UNKNOWN))
    assert dict(known.undecided) == {"partition_test": 1}


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ('<linux:evr datatype="debian_evr_string" operation="less than or equal">5.2.15-2</linux:evr>', {"bash": None}),
        ('<linux:evr datatype="debian_evr_string" operation="greater than">5.2.15-2</linux:evr>', {}),
        ('<linux:evr datatype="debian_evr_string" operation="subset of">9</linux:evr>', {"bash": None}),
        ('<linux:evr datatype="debian_evr_string" operation="less than">no version</linux:evr>', {"bash": None}),
        ('<linux:evr datatype="debian_evr_string" operation="less than" var_ref="v:x"/>', {"bash": None}),
        ('<linux:version operation="pattern match">^5</linux:version>', {"bash": None}),
        ('<linux:version operation="pattern match">^6</linux:version>', {}),
        ('<linux:version operation="pattern match">^(a+)+$</linux:version>', {"bash": None}),
        ('<linux:arch>amd64</linux:arch>', {"bash": None}),
        ('<linux:name>bash</linux:name>', {"bash": None}),
    ],
)  # fmt: skip
def test_a_demand_that_the_list_of_packages_does_not_answer_leaves_it_open(
    state: str, found: dict[str | None, bool | None]
) -> None:
    test = package_test("odd", "bash", more=state)
    assert repairs(custom(under("AND", '<criterion test_ref="t:odd"/>'), test), BASH) == found


def test_objects_that_do_not_name_packages_one_by_one_are_not_looked_for() -> None:
    for name in (
        '<linux:name operation="pattern match">^ba</linux:name>',
        '<linux:name var_ref="v:missing" var_check="at least one"/>',
        "<oval-def:set xmlns:oval-def='x'><oval-def:object_reference>o:old</oval-def:object_reference></oval-def:set>",
    ):
        test = package_test("odd", "bash", "9")
        test["objects"] = test["objects"].replace("<linux:name>bash</linux:name>", name)
        assert repairs(custom(under("AND", '<criterion test_ref="t:odd"/>'), test), BASH) == {None: None}


def test_short_cuts_come_to_what_the_long_way_comes_to() -> None:
    chance = random.Random(7)
    leaves: dict[str, Truth] = {
        "old": True,
        "new": False,
        "gone": False,
        "unknown": None,
        "release": True,
        "missing": None,
    }

    def tree(depth: int) -> tuple[str, Truth]:
        """Criteria, and what they come to by the tables alone."""
        negate = chance.random() < 0.2
        turn = ' negate="true"' if negate else ""
        if depth == 0 or chance.random() < 0.3:
            leaf = chance.choice(list(leaves))
            return f'<criterion test_ref="t:{leaf}"{turn}/>', turned(leaves[leaf], negate)
        operator = chance.choice(["AND", "AND", "OR", "OR", "ONE", "XOR"])
        parts = [tree(depth - 1) for _ in range(chance.randrange(1, 4))]
        text = f'<criteria operator="{operator}"{turn}>{"".join(part for part, _ in parts)}</criteria>'
        return text, turned(joined(operator, [value for _, value in parts]), negate)

    trees = [tree(4) for _ in range(300)]
    own = "".join(definition(n, f"<criteria>{text}</criteria>") for n, (text, _) in enumerate(trees, start=1))
    content = document(**laid(DEBIAN_RELEASE, OLD, NEW, GONE, UNKNOWN, {"definitions": own}))
    found = {flaw.id: flaw for flaw in feed(content).open_on(BASH)}
    for number, (text, value) in enumerate(trees, start=1):
        flaw = found.get(f"CVE-2026-{number:04}")
        assert (flaw is None) is (value is False), text
        assert flaw is None or value is True or flaw.repairable is None, text


def test_operators_and_checks_follow_the_tables_of_the_language() -> None:
    for values in itertools.product((True, False, None), repeat=3):
        either = {any(each) for each in _worlds(values)}
        all_ = {all(each) for each in _worlds(values)}
        one = {sum(each) == 1 for each in _worlds(values)}
        odd = {sum(each) % 2 == 1 for each in _worlds(values)}
        assert joined("OR", values) is checked("at least one", values) is _settled(either)
        assert joined("AND", values) is checked("all", values) is _settled(all_)
        assert turned(checked("none satisfy", values), True) is _settled(either)
        assert joined("ONE", values) is checked("only one", values) is _settled(one)
        assert joined("XOR", values) is _settled(odd)
    assert [exists(word, 2) for word in ("at_least_one_exists", "all_exist", "any_exist", "none_exist", "x")] == [
        True, True, True, False, None,
    ]  # fmt: skip
    assert (exists("only_one_exists", 1), exists("none_exist", 0), checked("some", [True])) == (True, True, None)


def _worlds(values: tuple[Truth, ...]) -> list[tuple[bool, ...]]:
    return list(itertools.product(*([value] if value is not None else [True, False] for value in values)))


def _settled(results: set[bool]) -> Truth:
    return next(iter(results)) if len(results) == 1 else None


@pytest.mark.parametrize(
    ("pattern", "subject", "found"),
    [
        (r"5.15.0-\d+(-generic|-aws)", "5.15.0-91-generic", True),
        (r"5.15.0-\d+(-generic|-aws)", "5.15.0-91-kvm", False),
        (r"^9[^\d]", "9.4", True),
        (r"^9[^\d]", "94", False),
        ("^almalinux-release", "almalinux-release", True),
        (r"(a|a)+$", "aaaa", None),
        (r"^(?:a+)+$", "aaaa", None),
        (r"\d+\d+\d+", "1" * 60, None),
        ("a" * 9000, "a", None),
        ("a", "a" * 300, None),
        ("[", "a", None),
        ("(", "a", None),
    ],
)
def test_only_patterns_that_cannot_take_long_are_tried(pattern: str, subject: str, found: bool | None) -> None:
    assert matches(pattern, subject) is found
