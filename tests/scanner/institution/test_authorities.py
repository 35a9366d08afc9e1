"""Certificates that a target names are checked, sealed with the estate, and handed on as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import ConfigurationError
from scanner.institution.authorities import authorities
from scanner.institution.estate import Estate, load_estate, parse_estate
from tests.lab.relay import certificate

ESTATE = """
schema_version = 1
[institution]
id = "lab-bank"
name.zh-TW = "實驗銀行"
name.en = "Lab Bank"
[targets.ad]
collector = "ad"
address = "ldaps://dc1.corp.test"
options.ca_file = {ca_file}
[systems.core]
title.zh-TW = "核心"
title.en = "Core"
scenes = ["remote_work"]
service_model = "on_premises"
target = "II"
"""


@pytest.fixture
def pem(tmp_path: Path) -> str:
    """One certificate without its key."""
    both = certificate(tmp_path, "dc1.corp.test").read_text()
    (tmp_path / "dc1.corp.test.pem").unlink()
    return both[: both.index("-----BEGIN PRIVATE")]


def load(folder: Path, ca_file: str) -> Estate:
    (folder / "estate.toml").write_text(ESTATE.format(ca_file=ca_file))
    return load_estate(folder / "estate.toml")


def problem(folder: Path, ca_file: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, ca_file)
    (only,) = caught.value.problems
    return str(only).replace(f"{folder}/", "")


def test_a_file_beside_the_estate_is_sealed_and_handed_on_as_text(tmp_path: Path, pem: str) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca/corp.pem").write_text("# 公司的憑證\n" + pem + "\n" + pem, "utf-8")

    estate = load(tmp_path, '"ca/corp.pem"')

    assert estate.targets["ad"].options["ca_file"] == pem + pem
    assert sorted(estate.files) == ["ca/corp.pem", "estate.toml"]
    (tmp_path / "ca/corp.pem").unlink()
    assert parse_estate(estate.files).targets["ad"].options == estate.targets["ad"].options


def test_an_absolute_path_and_a_text_do_as_well(tmp_path: Path, pem: str) -> None:
    (tmp_path / "corp.pem").write_text(pem)

    by_path = load(tmp_path, f'"{tmp_path / "corp.pem"}"')
    by_text = load(tmp_path, f"'''{pem}'''")

    assert by_path.targets["ad"].options == by_text.targets["ad"].options == {"ca_file": pem}
    assert sorted(by_text.files) == ["estate.toml"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "holds no certificate in PEM"),
        (b"\x30\x82\x01\x00", "holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 of 1 is damaged"),
        (b"-----BEGIN PRIVATE KEY-----\n", "a private key stands where only certificates belong"),
    ],
)
def test_what_holds_no_certificate_is_told_by_file_and_key(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "corp.pem").write_bytes(content)

    assert problem(tmp_path, '"corp.pem"') == (
        f"estate.toml:10: targets.ad.options.ca_file: 'corp.pem': {expected}"
        " (expected the certificates of the server's authorities, in PEM)"
    )


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    assert "targets.ad.options.ca_file: 'corp.pem': no such file" in problem(tmp_path, '"corp.pem"')


def test_one_damaged_certificate_among_good_ones_is_told(pem: str) -> None:
    broken = pem.replace("\n", "\nAAAA", 2)

    with pytest.raises(ValueError, match="certificate 2 of 2 is damaged"):
        authorities((pem + broken).encode())
