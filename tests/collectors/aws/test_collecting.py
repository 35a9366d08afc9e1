"""The collector under the real restraint: sealed collections, one login, no secret anywhere."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.aws import COLLECTOR
from collectors.aws.source import PROMISED
from scanner.collecting.collect import collect
from scanner.institution.estate import load_estate
from scanner.sealed.collection import Collection, gaps
from scanner.sealed.store import Store
from tests.collectors.aws.lab import ACCOUNT, moto_server, seed
from tests.collectors.aws.test_border import Canned, query_error

SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
KEY = "AKIAIOSFODNN7EXAMPLE"
ESTATE = """
schema_version = 1
[institution]
id = "lab-bank"
name.zh-TW = "實驗銀行"
name.en = "Lab Bank"
[credentials.reader]
user = "{key}"
secret = "env:ZTGRADE_TEST_AWS"
[targets.cloud]
collector = "aws"
source = "cloud"
address = "{address}"
credential = "reader"
timeout_seconds = 120
options.regions = ["us-east-1"]
[systems.core]
title.zh-TW = "核心"
title.en = "Core"
scenes = ["cloud_access"]
service_model = "iaas"
target = "I"
[[systems.core.members.Account]]
all = true
"""


def collected(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setenv("ZTGRADE_TEST_AWS", SECRET)
    (folder / "estate.toml").write_text(ESTATE.format(address=address, key=KEY), encoding="utf-8")
    store = Store.open(folder / "store", create=True)
    (found,) = collect(load_estate(folder / "estate.toml"), store, collectors={"aws": COLLECTOR})
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as started:
        seed(started)
        yield started


def test_an_account_becomes_a_sealed_collection_without_its_secret(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = collected(tmp_path, address, monkeypatch)

    assert found.meta.complete
    assert found.meta.facts["User"] == 5
    assert set(found.meta.facts) <= PROMISED == set(found.meta.promises)
    assert ("aws_account", ACCOUNT) in {(one.kind, one.value) for one in found.meta.identities}
    content = [path.read_bytes() for path in found.path.rglob("*") if path.is_file()]
    content += [gzip.decompress(path.read_bytes()) for path in found.path.rglob("*.gz")]
    assert not any(SECRET.encode() in one or KEY.encode() in one for one in content)


def test_a_refused_key_is_sent_once_and_everything_is_lost_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Canned()
    server.replies = [query_error("InvalidClientTokenId", 403)]
    try:
        found = collected(tmp_path, server.address, monkeypatch)
    finally:
        server.close()

    assert len(server.asked) == 1
    assert found.meta.facts == {}
    assert {gap.fact for gap in gaps(found)} == PROMISED
    assert all("InvalidClientTokenId" in gap.detail for gap in gaps(found))
