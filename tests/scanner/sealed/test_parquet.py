"""Each record is judged by itself, and what is kept comes back from Parquet as it was seen."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from scanner.errors import EngineError, StoreError
from scanner.facts import (
    FACTS,
    Activity,
    Authenticators,
    Credentials,
    Entitlements,
    Placement,
    SegmentPolicy,
    SignIn,
    User,
)
from scanner.facts.application import Role
from scanner.facts.identity import Authenticator
from scanner.facts.network import SegmentRule
from scanner.model import Fact
from scanner.sealed.parquet import (
    TEXT_LIMIT,
    Gate,
    Spool,
    engine,
    identity_schema,
    parquet_schema,
    sql_path,
    write_facts,
    write_sorted,
)

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
TAIPEI = timezone(timedelta(hours=8))
ASSET = "user:corp:S-1-5-21-1-1104"


def stored(tmp_path: Path, *records: Fact) -> list[dict[str, Any]]:
    spool = Spool(type(records[0]), tmp_path / "lines.ndjson")
    for record in records:
        spool.keep(spool.gate.admit(record))
    spool.close()
    with engine(tmp_path / "spill") as connection:
        write_facts(connection, spool, tmp_path / "facts", tmp_path / "identity")
        return read(connection, tmp_path / "facts" / f"{type(records[0]).__name__}.parquet")


def read(connection: duckdb.DuckDBPyConnection, path: Path) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT * FROM read_parquet({sql_path(path)})")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_schema_leaves_out_what_names_a_person() -> None:
    assert parquet_schema(Activity) == {
        "asset": "VARCHAR",
        "observed_at": "TIMESTAMP",
        "ever_signed_in": "BOOLEAN",
        "idle_since": "TIMESTAMP",
    }
    assert identity_schema(Activity) == {"asset": "VARCHAR", "last_sign_in": "TIMESTAMP"}
    assert parquet_schema(Authenticators)["methods"] == 'STRUCT("method" VARCHAR, "usable" BOOLEAN)[]'
    assert parquet_schema(SignIn)["remembered_hours"] == "BIGINT"
    assert parquet_schema(SignIn)["conditions"] == "VARCHAR[]"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_every_fact_of_the_vocabulary_can_be_stored(fact: type[Fact], tmp_path: Path) -> None:
    kind = "user" if fact.kind == "*" else fact.kind
    (row,) = stored(tmp_path, fact(asset=f"{kind}:corp:1", observed_at=NOON))
    assert list(row) == list(parquet_schema(fact))
    assert {name for name, value in row.items() if value is not None} == {"asset", "observed_at"}
    assert set(parquet_schema(fact)) | set(identity_schema(fact)) == set(fact.__struct_fields__)


def test_file_says_which_fact_and_which_schema(tmp_path: Path) -> None:
    stored(tmp_path, User(asset=ASSET, observed_at=NOON))
    with duckdb.connect() as connection:
        path = sql_path(tmp_path / "facts" / "User.parquet")
        found = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({path})").fetchall()
    assert dict(found) == {b"fact": b"User", b"schema_version": b"1"}


def test_rows_are_sorted_by_asset_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    keys = [f"user:corp:{key}" for key in ("b", "É", "a", "Z", "10", "9", "零")]
    rows = stored(tmp_path, *(User(asset=key, observed_at=NOON) for key in keys))
    assert [row["asset"] for row in rows] == sorted(keys)


def test_times_are_kept_in_utc_to_the_microsecond(tmp_path: Path) -> None:
    at = datetime(2026, 11, 20, 9, 0, 0, 123456, tzinfo=TAIPEI)
    (row,) = stored(tmp_path, Activity(asset=ASSET, observed_at=at, idle_since=at, last_sign_in=at))
    assert row["observed_at"] == row["idle_since"] == datetime(2026, 11, 20, 1, 0, 0, 123456)
    with duckdb.connect() as connection:
        (person,) = read(connection, tmp_path / "identity" / "Activity.parquet")
    assert person == {"asset": ASSET, "last_sign_in": datetime(2026, 11, 20, 1, 0, 0, 123456)}


def test_times_inside_structs_are_kept_in_utc(tmp_path: Path) -> None:
    rules = [SegmentRule(name="1", last_hit=NOON.astimezone(TAIPEI)), SegmentRule(name="2")]
    (row,) = stored(tmp_path, SegmentPolicy(asset="segment:fw:1", observed_at=NOON, rules=rules))
    assert [rule["last_hit"] for rule in row["rules"]] == [NOON.replace(tzinfo=None), None]


@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/New_York"])
def test_the_zone_of_the_machine_does_not_matter(zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    (row,) = stored(tmp_path, User(asset=ASSET, observed_at=NOON))
    assert row["observed_at"] == NOON.replace(tzinfo=None)


def test_odd_text_survives(tmp_path: Path) -> None:
    text = "quote ' \" back \\ line\nNUL\0 emoji \U0001f600 right-to-left \u202e {json: [1]}"
    (row,) = stored(tmp_path, SignIn(asset=ASSET, observed_at=NOON, policy=text))
    assert row["policy"] == text


def test_empty_and_unknown_lists_stay_different(tmp_path: Path) -> None:
    rows = stored(
        tmp_path,
        Placement(asset="user:corp:1", observed_at=NOON, groups=[]),
        Placement(asset="user:corp:2", observed_at=NOON, groups=None),
        Placement(asset="user:corp:3", observed_at=NOON, groups=["b", "a", "b", "B"]),
    )
    assert [row["groups"] for row in rows] == [[], None, ["B", "a", "b"]]


def test_greatest_and_smallest_numbers_survive(tmp_path: Path) -> None:
    rows = stored(
        tmp_path,
        Credentials(asset="user:corp:1", observed_at=NOON, access_keys=2**63 - 1),
        Credentials(asset="user:corp:2", observed_at=NOON, access_keys=-(2**63)),
    )
    assert [row["access_keys"] for row in rows] == [2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        (Placement(asset=ASSET, observed_at=NOON, groups=["a", None]), "groups", "null element"),  # type: ignore[list-item]
        (Authenticators(asset=ASSET, observed_at=NOON, methods=[None]), "methods", "null element"),  # type: ignore[list-item]
        (User(asset=ASSET, observed_at=NOON, login="a\ud800"), "login", "surrogate"),
        (User(asset=ASSET, observed_at=NOON, login="x" * (TEXT_LIMIT + 1)), "login", "more than 65536"),
        (User(asset=ASSET, observed_at=NOON, login="零" * (TEXT_LIMIT // 3 + 1)), "login", "more than 65536"),
        (Placement(asset=ASSET, observed_at=NOON, tags=["a", "x" * 70_000]), "tags", "more than 65536"),
        (Credentials(asset=ASSET, observed_at=NOON, access_keys=2**63), "access_keys", "64 bits"),
    ],
)
def test_a_field_that_cannot_be_kept_is_emptied_and_named(record: Fact, field: str, words: str) -> None:
    admitted = Gate(type(record)).admit(record)
    assert admitted.line is not None
    assert json.loads(admitted.line)[field] is None
    assert json.loads(admitted.line)["asset"] == ASSET
    (flaw,) = admitted.flaws
    assert flaw.field == field
    assert words in flaw.what


def test_flaws_inside_structs_empty_the_whole_list() -> None:
    roles = [Role(name="admin", holders=2**64), Role(name="\udfff")]
    admitted = Gate(Entitlements).admit(
        Entitlements(asset="application:a:1", observed_at=NOON, exported_by="directory", roles=roles)
    )
    assert admitted.line is not None
    assert json.loads(admitted.line)["roles"] is None
    assert json.loads(admitted.line)["exported_by"] == "directory"
    assert [flaw.field for flaw in admitted.flaws] == ["roles"]


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": 1},
        {"enabled": "true"},
        {"category": "pet"},
        {"category": b"person"},
        {"login": 7},
        {"login": b"chang"},
        {"login": NOON},
        {"login": ["a"]},
        {"login": object()},
        {"observed_at": NOON.replace(tzinfo=None)},
        {"observed_at": None},
        {"observed_at": "yesterday"},
        {"observed_at": 1_700_000_000},
        {"observed_at": datetime(1, 1, 1, tzinfo=TAIPEI)},
        {"asset": None},
        {"asset": "user"},
        {"asset": "user:corp:"},
        {"asset": "user::1"},
        {"asset": "device:corp:1"},
        {"asset": "user:corp:a\nb"},
        {"asset": "user:corp:\ud800"},
        {"asset": "user:corp:" + "x" * 70_000},
        {"surprise": None},
        {"surprise": "\ud800"},
    ],
)
def test_nothing_is_coerced_and_one_flaw_says_why(changes: dict[str, Any]) -> None:
    row: dict[str, Any] = {"asset": ASSET, "observed_at": NOON, "enabled": True} | changes
    gate = Gate(User)
    admitted = [gate.admit_row(row)]
    if "surprise" not in changes:
        admitted.append(gate.admit(User(**row)))
    for each in admitted:
        assert each.line is None
        assert [flaw.field for flaw in each.flaws] == [None]


def test_struct_fields_are_checked_too() -> None:
    gate = Gate(Authenticators)
    for methods in ([Authenticator(method="carrier_pigeon")], [Authenticator(usable="no")], [{"method": 1}], "sms"):  # type: ignore[arg-type]
        admitted = gate.admit(Authenticators(asset=ASSET, observed_at=NOON, methods=methods))  # type: ignore[arg-type]
        assert admitted.line is None, methods


def test_a_row_of_text_times_is_admitted_like_a_struct() -> None:
    gate = Gate(Activity)
    row = {"asset": ASSET, "observed_at": "2026-11-20T12:00:00+08:00", "idle_since": "2026-11-20T04:00:00Z"}
    struct = Activity(asset=ASSET, observed_at=NOON, idle_since=NOON)
    assert gate.admit_row(row).line == gate.admit(struct).line


def test_a_record_larger_than_the_engine_reads_is_refused() -> None:
    groups = [f"{number:060000d}" for number in range(150)]
    admitted = Gate(Placement).admit(Placement(asset=ASSET, observed_at=NOON, groups=groups))
    assert admitted.line is None
    assert "larger than" in admitted.flaws[0].what


def test_identity_file_exists_only_where_a_row_names_somebody(tmp_path: Path) -> None:
    stored(tmp_path, User(asset=ASSET, observed_at=NOON, enabled=True))
    assert not (tmp_path / "identity").exists()


def test_every_line_decodes_to_the_record_that_was_seen() -> None:
    record = User(asset=ASSET, observed_at=NOON, enabled=False, category="person", external=None, login="a")
    line = Gate(User).admit(record).line
    assert line is not None
    assert msgspec.json.decode(line, type=User) == record


def test_a_small_memory_limit_is_enough(tmp_path: Path) -> None:
    spool = Spool(User, tmp_path / "lines.ndjson")
    for number in range(30_000):
        key = f"user:corp:{(number * 7919) % 30_000:06d}"
        spool.keep(spool.gate.admit(User(asset=key, observed_at=NOON, enabled=True, login=f"{number}" * 10)))
    spool.close()
    with engine(tmp_path / "spill", memory="96MB") as connection:
        write_facts(connection, spool, tmp_path / "facts", tmp_path / "identity")
        path = sql_path(tmp_path / "facts" / "User.parquet")
        counted = connection.execute(f"SELECT count(DISTINCT asset), min(asset) FROM {path}").fetchone()
    assert counted == (30_000, "user:corp:000000")


def test_an_engine_failure_names_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bad.ndjson").write_text('{"asset": "a", "n": "x"}\n')
    with pytest.raises(EngineError, match="check memory and disk"), engine(tmp_path / "spill") as connection:
        write_sorted(connection, tmp_path / "bad.ndjson", tmp_path / "o.parquet", {"asset": "VARCHAR", "n": "BIGINT"})


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a small file system needs root")
def test_an_engine_that_meets_a_full_disk_says_so(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(options, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        spool = Spool(SignIn, tmp_path / "lines.ndjson")
        for number in range(30_000):
            policy = hashlib.sha512(str(number).encode()).hexdigest()
            spool.keep(spool.gate.admit(SignIn(asset=f"user:corp:{number}", observed_at=NOON, policy=policy)))
        spool.close()
        with pytest.raises(StoreError, match="free space"), engine(small / "spill") as connection:
            write_facts(connection, spool, small / "facts", small / "identity")
    finally:
        subprocess.run(["umount", str(small)], check=True)
