from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from collectors.importing import COLLECTOR, sign_sidecar
from collectors.sidecar import PLAIN_SUFFIX, SIGNED_SUFFIX
from scanner.model import Capture, Census, GapWhy, Record, SourceIdentity, keys_digest
from tests.collectors.stage import census, facts, gaps, import_target, key_pair, ndjson, read, statement, user

KEYS = ["user:corp:0001", "user:corp:0002"]
ROWS = ndjson([user(1), user(2)])
PRIVATE, PUBLIC = key_pair()


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def signed(folder: Path, name: str = "User.ndjson", content: bytes = ROWS, **changes: Any) -> Path:
    path = write(folder, name, content)
    payload = statement(census("User", KEYS)) | changes
    sign_sidecar(path, payload, PRIVATE)
    return path


def censuses(records: list[Record]) -> list[Census]:
    return [record for record in records if isinstance(record, Census)]


def imported(folder: Path, *promises: str, key: bytes | None = PUBLIC) -> list[Record]:
    options = {} if key is None else {"supplier_key": key.decode()}
    return read(COLLECTOR, import_target(folder, *(promises or ("User",)), **options))


def test_a_signed_statement_that_matches_closes_the_population(tmp_path: Path) -> None:
    signed(tmp_path)
    records = imported(tmp_path)
    assert len(facts(records)) == 2
    assert gaps(records) == []
    (closed,) = censuses(records)
    assert (closed.complete, closed.n, closed.digest) == (True, 2, keys_digest(KEYS))
    assert closed.as_of.isoformat() == "2026-11-20T00:00:00+00:00"
    assert any(isinstance(record, Capture) and record.name.endswith(SIGNED_SUFFIX) for record in records)
    kinds = [record.kind for record in records if isinstance(record, SourceIdentity)]
    assert kinds == ["supplier", "file"]


def test_the_key_may_also_be_named_by_its_file(tmp_path: Path) -> None:
    signed(tmp_path)
    key = write(tmp_path, "supplier.pem", PUBLIC)
    records = read(COLLECTOR, import_target(tmp_path, "User", supplier_key=str(key)))
    assert censuses(records)[0].complete
    lost = read(COLLECTOR, import_target(tmp_path, "User", supplier_key=str(tmp_path / "lost.pem")))
    assert not censuses(lost)[0].complete
    assert "nothing is closed" in gaps(lost)[0].detail


def test_a_file_alone_closes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "User.ndjson", ROWS)
    records = imported(tmp_path)
    assert len(facts(records)) == 2
    assert censuses(records) == []


def test_an_unsigned_statement_is_read_and_closes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "User.ndjson", ROWS)
    write(tmp_path, f"User.ndjson{PLAIN_SUFFIX}", json.dumps(statement(census("User", KEYS))).encode())
    records = imported(tmp_path)
    (opened,) = censuses(records)
    assert (opened.complete, opened.n) == (False, 2)
    assert gaps(records) == []


def test_a_signature_that_nobody_can_check_closes_nothing(tmp_path: Path) -> None:
    signed(tmp_path)
    records = imported(tmp_path, key=None)
    assert not censuses(records)[0].complete
    assert [gap.why for gap in gaps(records)] == [GapWhy.UNSUPPORTED]


def test_the_signature_of_somebody_else_closes_nothing(tmp_path: Path) -> None:
    signed(tmp_path)
    records = imported(tmp_path, key=key_pair()[1])
    assert censuses(records) == []
    assert [gap.why for gap in gaps(records)] == [GapWhy.MALFORMED]
    assert len(facts(records)) == 2


@pytest.mark.parametrize(
    "content",
    [
        ROWS + ndjson([user(3)]),
        ndjson([user(1)]),
        ROWS.replace(b"true", b"null", 1),
        ROWS + b"\n",
        b"",
    ],
)
def test_other_bytes_than_those_signed_open_the_population(tmp_path: Path, content: bytes) -> None:
    signed(tmp_path).write_bytes(content)
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert GapWhy.CONFLICT in [gap.why for gap in gaps(records, "User")]


def test_another_number_of_rows_than_signed_opens_the_population(tmp_path: Path) -> None:
    signed(tmp_path, rows=3)
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert "3 rows" in gaps(records, "User")[0].detail


def test_a_listing_that_the_rows_do_not_bear_out_is_open(tmp_path: Path) -> None:
    signed(tmp_path, censuses=[census("User", [*KEYS, "user:corp:0003"])])
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert gaps(records, "User")


def test_a_missing_key_is_named_by_the_stated_listing(tmp_path: Path) -> None:
    keys = [*KEYS, "user:corp:0003"]
    signed(tmp_path, censuses=[census("User", keys, name_keys=True)])
    (closed,) = censuses(imported(tmp_path))
    assert closed.complete
    assert closed.keys == tuple(keys)
    assert closed.digest != keys_digest(KEYS)


def test_a_listing_at_odds_with_itself_is_open(tmp_path: Path) -> None:
    signed(tmp_path, censuses=[census("User", KEYS, name_keys=True) | {"n": 3}])
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert [gap.why for gap in gaps(records, "User")] == [GapWhy.CONFLICT]


def test_a_bad_line_opens_the_population_that_its_asset_belongs_to(tmp_path: Path) -> None:
    content = ROWS.replace(b'"enabled": true', b'"enabled": "yes"', 1)
    signed(tmp_path, content=content)
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert {gap.why for gap in gaps(records, "User")} == {GapWhy.MALFORMED, GapWhy.CONFLICT}


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        ndjson([user(1, enabled="no")]),
        ndjson([{"gap": {"fact": "User", "why": "denied", "detail": "one unit is hidden"}}]),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_what_could_not_be_read_opens_the_population_wherever_it_stands(
    tmp_path: Path, line: bytes, beside: bool
) -> None:
    signed(tmp_path, content=ROWS if beside else ROWS + line)
    if beside:
        write(tmp_path, "more.ndjson", line)
    records = imported(tmp_path, "User", "Employment")
    assert not censuses(records)[0].complete


def test_a_field_that_nobody_could_see_leaves_the_population_closed(tmp_path: Path) -> None:
    gap = {"gap": {"fact": "User", "why": "denied", "detail": "hidden", "field": "enabled"}}
    signed(tmp_path, content=ROWS + ndjson([gap]))
    assert censuses(imported(tmp_path))[0].complete


def test_an_empty_population_can_be_closed(tmp_path: Path) -> None:
    signed(tmp_path, content=b"", censuses=[census("User", [])])
    records = imported(tmp_path)
    (closed,) = censuses(records)
    assert (closed.complete, closed.n) == (True, 0)
    assert gaps(records) == []


def test_a_fact_without_rows_can_be_closed_beside_others(tmp_path: Path) -> None:
    signed(tmp_path, censuses=[census("User", KEYS), census("Application", [])])
    records = imported(tmp_path, "User", "Application")
    assert {one.fact: one.complete for one in censuses(records)} == {"Application": True, "User": True}
    assert gaps(records) == []


def test_an_unsigned_empty_population_stays_unseen(tmp_path: Path) -> None:
    write(tmp_path, "User.ndjson", b"")
    write(tmp_path, f"User.ndjson{PLAIN_SUFFIX}", json.dumps(statement(census("User", []))).encode())
    assert [gap.why for gap in gaps(imported(tmp_path), "User")] == [GapWhy.UNSEEN]


def test_several_signed_files_close_one_population_together(tmp_path: Path) -> None:
    signed(tmp_path, "a.ndjson", ndjson([user(1)]), censuses=[census("User", KEYS[:1])])
    signed(tmp_path, "b.ndjson", ndjson([user(2)]), censuses=[census("User", KEYS[1:])])
    (closed,) = censuses(imported(tmp_path))
    assert (closed.complete, closed.n, closed.digest) == (True, 2, keys_digest(KEYS))


def test_one_file_that_nobody_signed_opens_the_population(tmp_path: Path) -> None:
    signed(tmp_path, "a.ndjson", ndjson([user(1)]), censuses=[census("User", KEYS[:1])])
    write(tmp_path, "b.ndjson", ndjson([user(2)]))
    records = imported(tmp_path)
    assert not censuses(records)[0].complete
    assert "b.ndjson" in gaps(records, "User")[0].detail


def test_a_statement_about_unknown_facts_or_one_fact_twice_closes_nothing(tmp_path: Path) -> None:
    signed(tmp_path, censuses=[census("Usr", KEYS)])
    records = imported(tmp_path)
    assert censuses(records) == []
    assert "did you mean 'User'?" in gaps(records)[0].detail
    signed(tmp_path, censuses=[census("User", KEYS), census("User", KEYS)])
    assert not any(one.complete for one in censuses(imported(tmp_path)))


def test_no_rewrapped_statement_can_close_another_file(tmp_path: Path) -> None:
    signed(tmp_path, "a.ndjson")
    stolen = (tmp_path / f"a.ndjson{SIGNED_SUFFIX}").read_bytes()
    (tmp_path / "a.ndjson").unlink()
    (tmp_path / f"a.ndjson{SIGNED_SUFFIX}").unlink()
    write(tmp_path, "User.ndjson", ndjson([user(1), user(2, enabled=False)]))
    write(tmp_path, f"User.ndjson{SIGNED_SUFFIX}", stolen)
    assert not censuses(imported(tmp_path))[0].complete


def test_a_signed_statement_without_digest_or_rows_closes_nothing(tmp_path: Path) -> None:
    path = signed(tmp_path)
    envelope = json.loads((tmp_path / f"{path.name}{SIGNED_SUFFIX}").read_bytes())
    payload = json.loads(base64.b64decode(envelope["payload"]))
    for name in ("file_sha256", "rows"):
        body = json.dumps({key: value for key, value in payload.items() if key != name}).encode()
        _resign(tmp_path / f"{path.name}{SIGNED_SUFFIX}", body)
        records = imported(tmp_path)
        assert not censuses(records)[0].complete, name
        assert gaps(records, "User")


def _resign(path: Path, body: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.dsse import Envelope

    from collectors.sidecar import PAYLOAD_TYPE

    key = load_pem_private_key(PRIVATE, None)
    assert isinstance(key, Ed25519PrivateKey)
    signature = key.sign(Envelope(body, PAYLOAD_TYPE, {}).pae())
    whole = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
    }
    path.write_text(json.dumps(whole))


def test_a_promise_that_no_file_keeps_is_unseen(tmp_path: Path) -> None:
    write(tmp_path, "User.ndjson", ROWS)
    records = imported(tmp_path, "User", "Employment")
    assert [(gap.fact, gap.why) for gap in gaps(records)] == [("Employment", GapWhy.UNSEEN)]


def test_without_a_directory_every_promise_is_unreachable(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "lost"):
        records = read(COLLECTOR, import_target(folder, "User", "Employment"))
        assert [(gap.fact, gap.why) for gap in gaps(records)] == [
            ("Employment", GapWhy.UNREACHABLE),
            ("User", GapWhy.UNREACHABLE),
        ]


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside", ROWS)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "User.ndjson").symlink_to(outside)
    os.mkfifo(folder / "Employment.ndjson")
    records = imported(folder, "User", "Employment")
    assert facts(records) == []
    assert {(gap.fact, gap.why) for gap in gaps(records)} == {
        ("User", GapWhy.DENIED),
        ("Employment", GapWhy.DENIED),
    }


def test_a_file_that_may_not_be_read_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed(tmp_path)
    opened = Path.open

    def refuse(self: Path, *args: Any, **more: Any) -> Any:
        if self.name == "User.ndjson":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", refuse)
    records = imported(tmp_path)
    assert GapWhy.DENIED in [gap.why for gap in gaps(records, "User")]
    assert not any(one.complete for one in censuses(records))


def test_csv_and_ndjson_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.ndjson", ndjson([user(2)]))
    write(tmp_path, "User.csv", b"asset,observed_at\nuser:corp:0001,2026-11-20T01:00:00Z\n")
    write(tmp_path, "notes.txt", b"not read")
    assert [fact.asset for fact in facts(imported(tmp_path))] == KEYS


def test_plan_says_what_would_be_read(tmp_path: Path) -> None:
    (call,) = COLLECTOR.plan(import_target(tmp_path, "User"))
    assert str(tmp_path) in call.call
