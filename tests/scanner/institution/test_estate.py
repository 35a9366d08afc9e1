"""An estate file is right as a whole or told wrong as a whole, and its sealed bytes give the same estate again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scanner.errors import ConfigurationError
from scanner.institution.costs import unknown_costs
from scanner.institution.estate import Caps, Estate, Selector, load_estate, parse_estate, sealed_name
from scanner.model import Effort, Level, Scene, ServiceModel

WHOLE = """
schema_version = 1
[institution]
id = "lab-bank"
name.zh-TW = "實驗銀行"
name.en = "Lab Bank"
[credentials.ad-reader]
user = "svc"
secret = "env:AD_SECRET"
[targets.hr]
collector = "import"
captures = "captures/hr"
promises = ["Employment", "User"]
options.supplier_key = "keys/chang.pem"
[targets.this-host]
collector = "local"
source = "agents"
site = "taipei"
[targets.switches]
collector = "ssh"
inventory = "devices.csv"
credential = "ad-reader"
options.port = 22
[populations.User]
defined_by = ["hr"]
[precedence]
DiskEncryption = ["agents", "hr"]
[systems.core]
title.zh-TW = "核心"
title.en = "Core"
scenes = ["remote_work", "system_operations"]
service_model = "on_premises"
target = "II"
[[systems.core.members.User]]
sources = ["hr"]
groups = ["core"]
networks = ["10.1.0.0/16", "fd00::/8"]
tags = ["app=core"]
hosts = ["core-*"]
accounts = ["account:aws:1"]
directories = ["directory:ad:corp"]
organizational_units = ["OU=Core,DC=corp"]
listed = ["user:corp:a"]
listed_file = "core-users.csv"
[[systems.core.members.Device]]
all = true
[[systems.core.scenes_override.remote_work.members.User]]
listed = ["user:corp:remote"]
[approvers.chang]
name = "張三"
public_key = "keys/chang.pem"
[registers]
directory = "registers"
[store]
[collect]
parallel = 2
per_credential = 1
per_site = 1
"""
COST = '[costs."1-1/mfa-enforced"]\neffort = "change"\nimpact = "low"\nreason = "piloted in two branches"\n[store]'
DEVICES = "name,address,credential,site\nsw-1,10.0.0.1,,\nsw-2,10.0.0.2,ad-reader,tainan\n"


def public_key(key: Any = None) -> bytes:
    key = key or Ed25519PrivateKey.generate()
    return bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/chang.pem").write_bytes(public_key())
    (tmp_path / "devices.csv").write_text(DEVICES)
    (tmp_path / "core-users.csv").write_text("asset,note\nuser:corp:b,x\n\nuser:corp:a,\nuser:corp:c,備註　全形\n")
    (tmp_path / "estate.toml").write_text(WHOLE)
    return tmp_path


def problems(home: Path, old: str = "", new: str = "", collectors: frozenset[str] | None = None) -> list[str]:
    assert old in WHOLE
    (home / "estate.toml").write_text(WHOLE.replace(old, new, 1) if old else WHOLE + new)
    with pytest.raises(ConfigurationError) as caught:
        load_estate(home / "estate.toml", collectors)
    return [str(problem).replace(f"{home}/", "") for problem in caught.value.problems]


def test_a_whole_estate_is_read(home: Path) -> None:
    estate = load_estate(home / "estate.toml", frozenset({"import", "local", "ssh"}))
    assert (estate.institution_id, estate.institution_name.en) == ("lab-bank", "Lab Bank")
    assert list(estate.targets) == ["hr", "this-host", "switches/sw-1", "switches/sw-2"]
    assert estate.sources == {"hr", "agents", "switches"}
    first, second = estate.targets["switches/sw-1"], estate.targets["switches/sw-2"]
    assert (first.source, first.address, first.credential, first.site) == (
        "switches",
        "10.0.0.1",
        "ad-reader",
        "default",
    )
    assert (second.site, second.options, second.promises) == ("tainan", {"port": 22}, None)
    hr = estate.targets["hr"]
    assert (hr.captures, hr.promises, hr.timeout_seconds) == (home / "captures/hr", ("Employment", "User"), 300)
    assert hr.options["supplier_key"] == (home / "keys/chang.pem").read_text()
    assert estate.populations == {"User": ("hr",)}
    assert estate.precedence == {"DiskEncryption": ("agents", "hr")}
    core = estate.systems["core"]
    assert (core.service_model, core.target) == (ServiceModel.ON_PREMISES, Level.II)
    assert core.scenes == (Scene.REMOTE_WORK, Scene.SYSTEM_OPERATIONS)
    assert estate.approvers["chang"].person == "張三"
    assert (estate.registers, estate.caps) == (home / "registers", Caps(2, 1, 1))


def test_costs_are_read_by_address_and_change_nothing_but_the_digest(home: Path) -> None:
    plain = load_estate(home / "estate.toml")
    (home / "estate.toml").write_text(WHOLE.replace("[store]", COST.replace('impact = "low"\n', "")))
    stated = load_estate(home / "estate.toml")

    assert plain.costs == {}
    (cost,) = stated.costs.values()
    assert (cost.effort, cost.impact, cost.reason) == (Effort.CHANGE, None, "piloted in two branches")
    assert stated.digest != plain.digest
    assert stated.systems == plain.systems


def test_a_cost_of_what_the_baseline_does_not_have_is_told_with_its_line(home: Path) -> None:
    (home / "estate.toml").write_text(WHOLE.replace("[store]", COST))
    estate = load_estate(home / "estate.toml")

    assert unknown_costs("estate.toml", estate.costs, ["1-1/mfa-enforced"]) == []
    (problem,) = unknown_costs("estate.toml", estate.costs, ["1-1/mfa-required"])
    line = (home / "estate.toml").read_text().splitlines().index('[costs."1-1/mfa-enforced"]') + 1
    assert problem.line == line
    assert "did you mean '1-1/mfa-required'" in str(problem)


def test_an_override_replaces_the_selectors_of_its_population_in_its_scene_only(home: Path) -> None:
    estate = load_estate(home / "estate.toml")
    assert estate.selectors("core", Scene.REMOTE_WORK, "User") == (Selector(listed=("user:corp:remote",)),)
    ordinary = estate.selectors("core", Scene.SYSTEM_OPERATIONS, "User")
    assert ordinary[0].listed == ("user:corp:a", "user:corp:b", "user:corp:c")
    assert ordinary[0].networks == ("10.1.0.0/16", "fd00::/8")
    assert estate.selectors("core", Scene.REMOTE_WORK, "Device") == (Selector(everything=True),)
    assert estate.selectors("core", Scene.REMOTE_WORK, "Segment") == ()


def same(one: Estate, other: Estate) -> bool:
    def placeless(estate: Estate) -> Estate:
        targets = {
            name: dataclasses.replace(target, captures=target.captures and Path(target.captures.name))
            for name, target in estate.targets.items()
        }
        return dataclasses.replace(estate, path=Path(), registers=Path(), targets=targets)

    return placeless(one) == placeless(other)


def test_the_sealed_bytes_give_the_same_estate_without_a_file_system(home: Path) -> None:
    estate = load_estate(home / "estate.toml")
    assert sorted(estate.files) == ["core-users.csv", "devices.csv", "estate.toml", "keys/chang.pem"]
    again = parse_estate(estate.files)
    assert again.digest == estate.digest
    assert same(again, estate)


def test_the_digest_does_not_depend_on_where_the_estate_lies_but_on_every_byte(home: Path) -> None:
    first = load_estate(home / "estate.toml").digest
    (home / "estate.toml").rename(home / "bank.toml")
    assert load_estate(home / "bank.toml").digest == first
    for name in ("bank.toml", "devices.csv", "core-users.csv"):
        before = load_estate(home / "bank.toml").digest
        (home / name).write_text((home / name).read_text() + "\n")
        assert load_estate(home / "bank.toml").digest != before
    (home / "keys/chang.pem").write_bytes(public_key())
    assert load_estate(home / "bank.toml").digest != first


def test_a_sealed_file_that_is_missing_is_told(home: Path) -> None:
    estate = load_estate(home / "estate.toml")
    for name in estate.files:
        with pytest.raises(ConfigurationError, match="missing among the sealed files"):
            parse_estate({other: content for other, content in estate.files.items() if other != name})


def test_byte_order_mark_and_line_ends_change_nothing_but_the_digest(home: Path) -> None:
    estate = load_estate(home / "estate.toml")
    (home / "estate.toml").write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    (home / "devices.csv").write_bytes(b"\xef\xbb\xbf" + DEVICES.replace("\n", "\r\n").encode())
    again = load_estate(home / "estate.toml")
    assert again.targets == estate.targets
    assert again.systems == estate.systems


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema_version = 1", "schema_version = 2", "estate.toml:2: schema_version: this version"),
        ("schema_version = 1", "", "estate.toml: 'schema_version' is missing"),
        ('id = "lab-bank"', 'id = "lab bank"', "estate.toml:4: institution.id: 'lab bank' is not a name"),
        ('name.en = "Lab Bank"', "", "institution.name: 'en' is missing"),
        ("[institution]", "[institutoin]", "institutoin: unknown key; did you mean 'institution'?"),
        ('secret = "env:AD_SECRET"', 'password = "hunter2"', "password: unknown key"),
        ('secret = "env:AD_SECRET"', 'secret = "hunter2"', "credentials.ad-reader.secret: not a reference to a secret"),
        (
            'secret = "env:AD_SECRET"',
            'secret = "keyring:x"',
            "secret: keyring: needs SERVICE/USER",
        ),
        ('collector = "local"', 'collector = "locl"', "there is no collector 'locl'; did you mean 'local'?"),
        (
            'promises = ["Employment", "User"]',
            'promises = ["Usr"]',
            "promises[0]: there is no fact 'Usr'; did you mean",
        ),
        (
            'promises = ["Employment", "User"]',
            'promises = ["User.enabeld"]',
            "promises[0]: there is no fact 'User.enabeld'; did you mean 'User.enabled'?",
        ),
        ('promises = ["Employment", "User"]', "", "targets.hr: 'promises' is missing"),
        ('captures = "captures/hr"', "", "targets.hr: 'captures' is missing"),
        ('source = "agents"', 'source = "a:b"', "targets.this-host.source: 'a:b' is not a name"),
        ('site = "taipei"', "timeout_seconds = 0", "timeout_seconds: expected a number from 1 to 86400, found 0"),
        ('site = "taipei"', 'credential = "ad-reder"', "there is no credential 'ad-reder'; did you mean 'ad-reader'?"),
        ('inventory = "devices.csv"', 'inventory = "none.csv"', "'none.csv': no such file or directory"),
        ('inventory = "devices.csv"', 'inventory = "keys"', "'keys': not a regular file"),
        ('inventory = "devices.csv"', 'inventory = "./estate.toml"', "cannot be pulled in by itself"),
        ('inventory = "devices.csv"', 'inventory = "devices.csv"\naddress = "x"', "the inventory gives the addresses"),
        (
            "options.port = 22",
            'options.password = "hunter2"',
            "options.password: a secret stands in [credentials.NAME]",
        ),
        ('defined_by = ["hr"]', 'defined_by = ["ad"]', "defined_by[0]: there is no source 'ad'"),
        ("[populations.User]", "[populations.Uzer]", "there is no population 'Uzer'; did you mean 'User'?"),
        ("[populations.User]", "[populations.Employment]", "there is no population 'Employment'"),
        ("DiskEncryption =", "DiskEncription =", "there is no fact 'DiskEncription'; did you mean 'DiskEncryption'?"),
        ('["agents", "hr"]', '["agents", "agents"]', "precedence.DiskEncryption[1]: 'agents' is given twice"),
        (
            '"system_operations"]',
            '"system_operation"]',
            "there is no scene 'system_operation'; did you mean 'system_op",
        ),
        ('"remote_work", "system', '"system', "remote_work: is not a scene of this system"),
        (
            '= "on_premises"',
            '= "on_premise"',
            "service_model: there is no word 'on_premise'; did you mean 'on_premises'?",
        ),
        ('target = "II"', 'target = "none"', "target: there is no level 'none'; expected one of I, II, III, IV"),
        ('target = "II"', "", "systems.core: 'target' is missing"),
        ("members.Device]]", "members.Divice]]", "there is no population 'Divice'; did you mean 'Device'?"),
        (
            "[[systems.core.members.Device]]",
            "[systems.core.members.Device]",
            "expected an array of tables, found a table",
        ),
        ("all = true", 'sources = ["agents"]\nall = false', "systems.core.members.Device[0]: selects nothing"),
        ("all = true", "", "systems.core.members.Device[0]: selects nothing"),
        ("all = true", 'sources = ["agents"]', "systems.core.members.Device[0]: selects nothing"),
        ("all = true", 'all = true\ngroups = ["x"]', "systems.core.members.Device[0].all: stands alone"),
        ('groups = ["core"]', 'grops = ["core"]', "User[0].grops: unknown key; did you mean 'groups'?"),
        ('groups = ["core"]', "groups = []", "User[0].groups: expected at least one"),
        ('"10.1.0.0/16"', '"10.1.0.1/16"', "networks[0]: '10.1.0.1/16' is not a network in CIDR notation"),
        ('"10.1.0.0/16"', '"10.1.0.0/33"', "networks[0]: '10.1.0.0/33' is not a network"),
        ('sources = ["hr"]\ngroups', 'sources = ["hrr"]\ngroups', "sources[0]: there is no source 'hrr'; did you mean"),
        ('"app=core"', '"app"', "tags[0]: expected name=value"),
        ('"account:aws:1"', '"user:aws:1"', "accounts[0]: 'user:aws:1' is of kind 'user', expected 'account'"),
        ('"OU=Core,DC=corp"', '"Core"', "organizational_units[0]: expected a name like"),
        ('["user:corp:a"]', '["device:corp:a"]', "listed[0]: 'device:corp:a' is of kind 'device', expected 'user'"),
        ('["user:corp:a"]', '["user::a"]', "listed[0]: 'user::a' is not an asset key, user:source:key"),
        ('public_key = "keys/chang.pem"', "", "approvers.chang: 'public_key' is missing"),
        ("parallel = 2", "parallel = 0", "collect.parallel: expected a number from 1 to 256"),
        ("[store]", '[store]\npath = "x"', "store.path: unknown key"),
        ("[store]", "[storr]", "storr: unknown key; did you mean 'store'?"),
        ("[store]", COST.replace("change", "chance"), "there is no word 'chance'; did you mean 'change'?"),
        ("[store]", COST.replace("low", "lowest"), "impact: there is no word 'lowest'; did you mean 'low'?"),
        ("[store]", COST.replace("1-1/mfa-enforced", "mfa-enforced"), "is no address of a requirement"),
        ("[store]", COST.replace("reason", "because"), "because: unknown key"),
        ("[store]", COST.replace("piloted in two branches", "so"), "reason: is too short"),
        ("[store]", COST.replace('effort = "change"\nimpact = "low"', ""), "states nothing"),
    ],
)
def test_each_mistake_is_told_at_its_place(home: Path, old: str, new: str, expected: str) -> None:
    told = problems(home, old, new, frozenset({"import", "local", "ssh"}))
    assert any(expected in each for each in told), told
    assert not any("hunter2" in each for each in told)


def test_all_mistakes_are_told_at_once(home: Path) -> None:
    (home / "devices.csv").write_text("name,address\nsw 1,\n")
    told = problems(home, 'target = "II"', 'target = "V"\nnonsense = 1\n[systems.core.more]')
    assert len(told) == 5
    assert sum("devices.csv:2" in each for each in told) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "devices.csv: is empty; expected the columns name, address"),
        (b"\n\n", "devices.csv: is empty"),
        (b"nam,address\n", "devices.csv:1: nam: unknown column; did you mean 'name'?"),
        (b"name\nx\n", "devices.csv:1: address: the column is missing"),
        (b"name,address,name\n", "devices.csv:1: name: the column is given twice"),
        (b"name,address\nx\n", "devices.csv:2: expected 2 columns, found 1"),
        (b"name,address\nx,1,2\n", "devices.csv:2: expected 2 columns, found 3"),
        (b"name,address\n\nx,\n", "devices.csv:3: address: is empty"),
        (b"name,address\nx,1\nx,2\n", "devices.csv:3: name: 'x' stands on line 2 already"),
        (b"name,address\n../x,1\n", "devices.csv:2: name: '../x' is not a name"),
        (b"name,address\nx,a\x00b\n", "devices.csv:2: address: holds a control character"),
        (b"name,address\nx,\xff\n", "devices.csv:2: not UTF-8 text"),
        (b'name,address\nx,"1\n', "devices.csv:2: not CSV"),
        (b'name,address\n"a\nb",1\nx,\n', "devices.csv:4: address: is empty"),
        (b"name,address,credential\nx,1,ad\n", "devices.csv:2: credential: there is no credential 'ad'"),
        (b"name,address\nx," + b"y" * 200_000, "devices.csv:2: not CSV: field larger than"),
    ],
)
def test_each_mistake_in_an_inventory_is_told_by_line_and_column(home: Path, content: bytes, expected: str) -> None:
    (home / "devices.csv").write_bytes(content)
    told = problems(home)
    assert any(expected in each for each in told), told


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("asset\nuser:corp:a\nuser:corp:a\n", "core-users.csv:3: asset: stands on line 2 already"),
        ("asset\ndevice:corp:a\n", "core-users.csv:2: asset: 'device:corp:a' is of kind 'device', expected 'user'"),
        ("asset\nsomebody\n", "core-users.csv:2: asset: 'somebody' is not an asset key"),
        ("asset,owner\nuser:corp:a,x\n", "core-users.csv:1: owner: unknown column"),
    ],
)
def test_each_mistake_in_a_list_of_members_is_told_by_line_and_column(home: Path, content: str, expected: str) -> None:
    (home / "core-users.csv").write_text(content)
    assert any(expected in each for each in problems(home))


def private_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello", "holds no Ed25519 public key"),
        (private_pem(), "a private key where a public key belongs"),
        (public_key(rsa.generate_private_key(65_537, 2048)), "holds no Ed25519 public key"),
        (public_key() + public_key(), "holds more than one key"),
    ],
)
def test_only_one_ed25519_public_key_stands_for_an_approver(home: Path, content: bytes, expected: str) -> None:
    (home / "keys/chang.pem").write_bytes(content)
    told = problems(home)
    assert any(f"approvers.chang.public_key: {expected}" in each for each in told)
    assert any(f"targets.hr.options.supplier_key: {expected}" in each for each in told)


def ssh_line(home: Path) -> str:
    """The key of ``chang`` as a line of SSH."""
    public = serialization.load_pem_public_key((home / "keys/chang.pem").read_bytes())
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def with_ssh_key(home: Path, line: str, more: str = "") -> list[str]:
    return problems(home, "[registers]", f'[approvers.li]\nname = "Li"\nssh_key = "{line}"\n{more}[registers]')


def test_an_approver_may_have_a_key_of_ssh_instead(home: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    text = (home / "estate.toml").read_text()
    (home / "estate.toml").write_text(
        text.replace("[registers]", f'[approvers.li]\nname = "Li"\nssh_key = "{line} li"\n[registers]')
    )
    approver = load_estate(home / "estate.toml").approvers["li"]
    assert (approver.public_key, approver.ssh_key) == (b"", f"{line} li")


@pytest.mark.parametrize(
    ("line", "said"),
    [("ssh-ed25519 AAAA", "is cut off"), ("ssh-dss AAAAB3NzaC1kc3M=", "keys of kind 'ssh-dss' are not taken")],
)
def test_a_key_of_ssh_that_is_none_is_told(home: Path, line: str, said: str) -> None:
    (told,) = with_ssh_key(home, line)
    assert f"approvers.li.ssh_key: {said}" in told


def test_one_key_is_one_approver_in_whatever_form_it_is_written(home: Path) -> None:
    (told,) = with_ssh_key(home, ssh_line(home))
    assert "approvers.li.ssh_key: is the key of 'chang' already" in told


def test_an_approver_has_one_key(home: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    (told,) = with_ssh_key(home, line, 'public_key = "keys/chang.pem"\n')
    assert "approvers.li.public_key: stands beside ssh_key" in told


def test_one_key_cannot_stand_for_two_approvers(home: Path) -> None:
    told = problems(home, "[registers]", '[approvers.li]\nname = "Li"\npublic_key = "keys/chang.pem"\n[registers]')
    assert told == ["estate.toml:54: approvers.li.public_key: is the key of 'chang' already (one key, one approver)"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b.pem", "a/b.pem"),
        ("./a//b.pem", "a/b.pem"),
        ("../keys/a.pem", "__up__/keys/a.pem"),
        ("x/../../a", "__up__/a"),
        ("/etc/a.pem", "__root__/etc/a.pem"),
        ("//etc/a.pem", "__root__/etc/a.pem"),
    ],
)
def test_a_sealed_name_never_leaves_its_folder(text: str, name: str) -> None:
    assert sealed_name(text) == name


def test_files_outside_the_folder_of_the_estate_are_read_and_sealed_inside(home: Path) -> None:
    (home / "inner").mkdir()
    text = WHOLE.replace('"keys/', '"../keys/').replace('"core-users', '"../core-users')
    (home / "inner/estate.toml").write_text(text.replace('"devices', f'"{home}/devices'))
    estate = load_estate(home / "inner/estate.toml")
    assert "__up__/keys/chang.pem" in estate.files
    assert f"__root__{home}/devices.csv" in estate.files
    assert same(parse_estate(estate.files), estate)


def test_two_files_never_share_a_sealed_name(home: Path) -> None:
    (home / "__up__").mkdir()
    (home / "__up__/k.pem").write_bytes(public_key())
    (home.parent / "k.pem").write_bytes(public_key())
    told = problems(
        home,
        "[registers]",
        '[approvers.a]\nname = "A"\npublic_key = "../k.pem"\n'
        '[approvers.b]\nname = "B"\npublic_key = "__up__/k.pem"\n[registers]',
    )
    assert any("two different files would be sealed as" in each for each in told)


def test_a_missing_estate_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ztgrade init"):
        load_estate(tmp_path / "estate.toml")


def test_an_empty_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "estate.toml").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        load_estate(tmp_path / "estate.toml")
    assert {problem.message for problem in caught.value.problems} == {
        f"{key!r} is missing" for key in ("schema_version", "institution", "targets", "systems")
    }
