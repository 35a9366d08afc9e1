"""What ``init`` writes is valid as it stands, its examples are valid too, and nothing is ever overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scanner.cli import COMMANDS
from scanner.errors import UsageError
from scanner.institution.estate import load_estate
from scanner.institution.estate_template import initial_files, write_initial
from scanner.institution.nouns import Selector
from scanner.institution.registers import EntryKind, load_registers
from scanner.model import Scene
from tests.lab.relay import certificate


def with_examples(path: Path) -> None:
    path.write_text(re.sub(r"^#(?=[^ \n])", "", path.read_text(), flags=re.MULTILINE))


def test_the_first_estate_is_valid_and_grades_this_host(tmp_path: Path) -> None:
    written = write_initial(tmp_path / "new" / "bank")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "new/bank/estate.toml",
        "new/bank/registers/documents.toml",
    ]
    estate = load_estate(written[0], frozenset({"local", "import"}))
    assert [(target.name, target.collector) for target in estate.targets.values()] == [("this-host", "local")]
    assert estate.selectors("this-host", Scene.SYSTEM_OPERATIONS, "Device") == (Selector(everything=True),)
    assert load_registers(estate.registers, frozenset(), {"this-host": ()}).entries == ()


def test_every_example_in_the_first_estate_is_valid(tmp_path: Path) -> None:
    path = write_initial(tmp_path)[0]
    with_examples(path)
    (tmp_path / "keys").mkdir()
    for name in ("supplier", "chang"):
        key = Ed25519PrivateKey.generate().public_key()
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"keys/{name}.pem").write_bytes(pem)
    certificate(tmp_path, "corp").rename(tmp_path / "both.pem")
    (tmp_path / "keys/corp-ca.pem").write_text((tmp_path / "both.pem").read_text().partition("-----BEGIN PRIVATE")[0])
    (tmp_path / "devices.csv").write_text("name,address\nsw-1,10.0.0.1\n")
    (tmp_path / "core-users.csv").write_text("asset\nuser:corp:a\n")
    estate = load_estate(path, frozenset({"local", "import", "ad", "aws"}))
    assert set(estate.targets) == {"this-host", "ad-corp", "aws-main", "hr", "switches/sw-1"}
    assert set(estate.systems) == {"this-host", "core"}
    assert set(estate.credentials) == {"ad-reader", "aws-reader", "switch-reader"}


def test_every_example_in_the_first_register_is_valid(tmp_path: Path) -> None:
    path = write_initial(tmp_path)[1]
    with_examples(path)
    registers = load_registers(tmp_path / "registers", None, {"this-host": (Scene.SYSTEM_OPERATIONS,)})
    assert {entry.kind for entry in registers.entries} == set(EntryKind)


def test_only_commands_that_exist_are_named() -> None:
    text = b"".join(initial_files().values()).decode()
    named = re.findall(r'(?:"|     |: )ztgrade ([a-z]+)', text)
    assert named
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(initial_files()))
def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        write_initial(tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_a_dangling_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "estate.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists"):
        write_initial(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_initial(tmp_path / "file" / "inner")
