"""Collectors, checks and baselines of other distributions: named by where they are from, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner import registry
from scanner.errors import EngineError, UnknownName
from scanner.grading.assess import code_lock
from scanner.guideline.baseline import load_baseline, plugin_baselines
from scanner.plugins import BASELINES, CHECKS, COLLECTORS, plugins
from tests.scanner.commands.stage import ztgrade
from tests.scanner.distribution import CHECK, COLLECTOR, Distribution, distributions

VAULT = {"NAMED/__init__.py": "", "NAMED/vault.py": COLLECTOR.format(name="vault")}
STRICTER = """schema_version = 1
id = "{id}"
version = "1"
extends = "fsc-2024"
title.zh-TW = "更嚴"
title.en = "Stricter"
source.zh-TW = "自訂"
source.en = "Our own"
[[replace]]
requirement = "2-2/patched"
need = 1.0
"""


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    yield from distributions(tmp_path, monkeypatch)


def refused() -> str:
    with pytest.raises(EngineError) as caught:
        registry.collectors()
    return str(caught.value)


@pytest.mark.parametrize("value", ["NAMED.vault", "NAMED.vault:COLLECTOR"])
def test_a_collector_of_others_stands_beside_ours(others: Distribution, value: str) -> None:
    others.install({COLLECTORS: {"vault": value}}, VAULT)

    assert {"vault", "local", "import"} <= set(registry.collectors())
    stock = registry.collector_stock()
    assert (stock.origin("vault"), stock.origin("local")) == ("acme-ztgrade 1.2", "ztgrade")


def test_checks_of_others_are_found_below_their_package(others: Distribution) -> None:
    files = {
        "NAMED/__init__.py": "",
        "NAMED/truths/__init__.py": "",
        "NAMED/truths/deep/__init__.py": CHECK.format(name="may_sign_in"),
        "NAMED/truths/borrowed.py": "from checks.device.compliance import host_firewall_denies_inbound\n",
        "NAMED/elsewhere.py": CHECK.format(name="not_named_by_the_entry_point"),
    }
    others.install({CHECKS: {"acme": "NAMED.truths"}}, files)

    added = f"{others.named}.truths.deep.may_sign_in"
    assert {name: each.distribution for name, each in registry.check_stock().plugins.items()} == {
        added: "acme-ztgrade 1.2"
    }
    assert added in registry.checks()
    assert registry.check_stock().origin("device.compliance.host_firewall_denies_inbound") == "ztgrade"


def test_lists_say_where_things_are_from(others: Distribution) -> None:
    files = VAULT | {"NAMED/truths.py": CHECK.format(name="may_sign_in")}
    others.install({COLLECTORS: {"vault": "NAMED.vault"}, CHECKS: {"acme": "NAMED.truths"}}, files)

    for what, name in (("collectors", "vault"), ("checks", f"{others.named}.truths.may_sign_in")):
        rows = {row["id"]: row["from"] for row in json.loads(ztgrade("list", what, "--json").stdout)[what]}
        assert rows.pop(name) == "acme-ztgrade 1.2"
        assert set(rows.values()) == {"ztgrade"}


@pytest.mark.parametrize(
    ("value", "text", "said"),
    [
        ("NAMED.vault", "import not_there_at_all", "ModuleNotFoundError"),
        ("NAMED.vault", "def broken(:", "SyntaxError"),
        ("NAMED.vault", "1 / 0", "ZeroDivisionError"),
        ("NAMED.vault", "raise SystemExit(0)", "SystemExit"),
        ("NAMED.vault", "COLLECTOR = None", "must name a collector"),
        ("NAMED.vault:Vault", COLLECTOR.format(name="vault"), "neither a class"),
        ("NAMED.vault:Gone", COLLECTOR.format(name="vault"), "AttributeError"),
        ("NAMED.vault", COLLECTOR.format(name="other"), "must be named 'other'"),
        ("NAMED.vault", COLLECTOR.format(name="vault").replace('"User",', '"Usr",'), "no fact type"),
        ("NAMED.vault", COLLECTOR.format(name="vault").replace("Permission(", "tuple(("), "SyntaxError"),
        ("NAMED.vault", COLLECTOR.format(name="vault").replace("= (Permission", "= (tuple"), "TypeError"),
        ("NAMED.vault", COLLECTOR.format(name="vault").replace("def read", "def write"), "read must be a method"),
        ("not a module", "", "names nothing that can be imported"),
    ],
)
def test_a_broken_plug_in_is_told_by_name_and_nothing_is_loaded(
    others: Distribution, value: str, text: str, said: str
) -> None:
    others.install({COLLECTORS: {"vault": value}}, VAULT | {"NAMED/vault.py": text})

    told = refused()
    assert said in told
    assert told.startswith("plug-in acme-ztgrade 1.2, entry point 'vault' of ztgrade.collectors: ")
    assert "uninstall" in told
    assert ztgrade("list", "collectors").exit_code == 1


def test_an_error_of_no_known_kind_ends_the_run_with_the_plug_in_in_its_notes(others: Distribution) -> None:
    text = "class Odd(Exception): pass\nraise Odd('x')"
    others.install({COLLECTORS: {"vault": "NAMED.vault"}}, VAULT | {"NAMED/vault.py": text})

    with pytest.raises(Exception, match="x") as caught:
        registry.collectors()
    assert "plug-in acme-ztgrade 1.2" in caught.value.__notes__[0]


def test_every_broken_plug_in_is_told_at_once(others: Distribution) -> None:
    others.install({COLLECTORS: {"a": "NAMED.gone", "b": "NAMED.lost"}}, VAULT)

    assert len(refused().splitlines()) == 2


def test_a_name_is_borne_once(others: Distribution) -> None:
    files = VAULT | {"NAMED/local.py": COLLECTOR.format(name="local"), "NAMED/twin.py": VAULT["NAMED/vault.py"]}
    others.install({COLLECTORS: {"local": "NAMED.local", "vault": "NAMED.vault"}}, files)
    others.install({COLLECTORS: {"vault": "NAMED.twin"}}, {}, name="twin")

    told = refused()
    assert (
        "plug-in acme-ztgrade 1.2, entry point 'local' of ztgrade.collectors: the name 'local' is taken by ztg" in told
    )
    assert "plug-in twin 1.2, entry point 'vault' of ztgrade.collectors: the name 'vault' is taken by acme-z" in told


def test_checks_that_share_an_id_are_refused(others: Distribution) -> None:
    taken = CHECK.format(name="ours").replace(
        "over=User", 'over=User, id="device.compliance.host_firewall_denies_inbound"'
    )
    others.install({CHECKS: {"acme": "NAMED"}}, {"NAMED/__init__.py": taken})

    with pytest.raises(EngineError, match="is taken by ztgrade; uninstall one of them"):
        registry.checks()


@pytest.mark.parametrize("value", ["NAMED", "NAMED:thing"])
def test_an_entry_point_without_checks_is_refused(others: Distribution, value: str) -> None:
    others.install({CHECKS: {"acme": value}}, {"NAMED/__init__.py": "thing = 1"})

    with pytest.raises(EngineError, match="acme-ztgrade"):
        registry.checks()


def test_finding_plug_ins_imports_nothing(others: Distribution) -> None:
    others.install({COLLECTORS: {"vault": "NAMED.vault"}}, VAULT | {"NAMED/vault.py": "raise SystemExit(9)"})

    (found,) = plugins(COLLECTORS)
    assert (found.name, found.module, found.distribution) == ("vault", f"{others.named}.vault", "acme-ztgrade 1.2")


def test_the_code_lock_covers_plug_ins_whose_checks_are_used_and_only_those(others: Distribution) -> None:
    before = code_lock(["device.compliance.host_firewall_denies_inbound"])
    files = {"NAMED/__init__.py": "", "NAMED/words.py": "", "NAMED/truths.py": CHECK.format(name="may_sign_in")}
    others.install({CHECKS: {"acme": "NAMED.truths"}}, files)
    used = [f"{others.named}.truths.may_sign_in"]

    assert code_lock(["device.compliance.host_firewall_denies_inbound"]) == before
    first = code_lock(used)
    assert first != before and code_lock(used) == first
    (others.folder / others.named / "words.py").write_text("changed = True\n")
    assert code_lock(used) != first


def test_a_plug_in_of_one_module_is_locked_by_its_file(others: Distribution) -> None:
    others.install({CHECKS: {"acme": "NAMED"}}, {"NAMED.py": CHECK.format(name="may_sign_in")})

    (source,) = registry.check_sources([f"{others.named}.may_sign_in"]).values()
    assert source == others.folder / f"{others.named}.py"


def test_a_baseline_of_others_is_found_by_its_id(others: Distribution) -> None:
    files = {"NAMED/__init__.py": "", "NAMED/rules/baseline.toml": STRICTER.format(id="acme-2026")}
    others.install({BASELINES: {"acme-2026": "NAMED.rules"}}, files)

    baseline = load_baseline("acme-2026", registry.checks())
    assert (baseline.id, baseline.guideline) == ("acme-2026", "fsc-2024")
    assert [each.distribution for each in plugin_baselines().values()] == ["acme-ztgrade 1.2"]
    assert ztgrade("list", "items", "--baseline", "acme-2026").exit_code == 0
    with pytest.raises(UnknownName, match="did you mean 'acme-2026'"):
        load_baseline("acme-2027", registry.checks())


@pytest.mark.parametrize(
    ("name", "files", "said"),
    [
        ("fsc-2024", {"NAMED/__init__.py": ""}, "the id is taken by ztgrade"),
        ("acme", {"NAMED/__init__.py": ""}, "holds no baseline.toml"),
        ("acme", {"NAMED/__init__.py": "1 / 0"}, "ZeroDivisionError"),
        ("acme", {"NAMED/__init__.py": "", "NAMED/baseline.toml": STRICTER.format(id="x")}, "has the id 'x'"),
    ],
)
def test_a_baseline_of_others_that_is_not_what_it_says_is_refused(
    others: Distribution, name: str, files: dict[str, str], said: str
) -> None:
    others.install({BASELINES: {name: "NAMED"}}, files)

    with pytest.raises(EngineError, match=said) as caught:
        load_baseline(name, registry.checks())
    assert "plug-in acme-ztgrade 1.2" in str(caught.value)
