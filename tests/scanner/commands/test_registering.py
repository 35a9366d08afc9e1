"""Registers from the command line: a draft that does not count, a signature that makes it count, and its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.institution.register_entry import EntryKind
from scanner.institution.register_writer import document_of, entry_text
from tests.scanner.commands.stage import Institution, now, requirement, sign_in, stamp, user, ztgrade

COMMON = {
    "--requirement": "1-1/covered-entrances",
    "--system": "core",
    "--owner": "wang",
    "--approver": "chang",
    "--made-at": "2026-10-01",
    "--expires-at": "2027-09-30",
    "--statement": "Every entrance asks for a second factor.",
    "--answer": "yes",
}
AS_OF = "2026-11-01T00:00:00Z"


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.pdf"
    path.write_bytes(b"the minutes")
    return path


def _options(given: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            yield from (name, str(each))


def _run(institution: Institution, word: str, action: str, *arguments: object) -> Any:
    return ztgrade(word, action, *arguments, "--estate", institution.estate)


def _attest(institution: Institution, minutes: Path, entry: str = "AT-1", **changes: Any) -> Any:
    given = COMMON | {"--document": minutes} | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return _run(institution, "attest", "add", entry, *_options(given))


def _listed(institution: Institution, word: str = "attest", action: str = "list", *more: str) -> list[dict[str, Any]]:
    result = _run(institution, word, action, "--json", "--as-of", AS_OF, *more)
    assert result.exit_code == 0, result.stderr
    entries: list[dict[str, Any]] = json.loads(result.stdout)["entries"]
    return entries


def test_a_draft_counts_only_when_its_approver_has_signed_it(institution: Institution, minutes: Path) -> None:
    assert _attest(institution, minutes).exit_code == 0
    (draft,) = _listed(institution)
    signed = _run(institution, "attest", "approve", "AT-1", "--key", institution.approver_key)
    (entry,) = _listed(institution)

    assert (draft["counts"], draft["why"]) == (False, "self_declared")
    assert signed.exit_code == 0, signed.stderr
    assert (entry["counts"], entry["why"], entry["id"]) == (True, None, "AT-1")


def test_the_document_is_noted_by_its_digest_and_not_taken_in(institution: Institution, minutes: Path) -> None:
    _attest(institution, minutes)
    shown = json.loads(_run(institution, "attest", "show", "AT-1", "--json", "--as-of", AS_OF).stdout)

    assert shown["fields"]["document"] == {
        "name": "minutes.pdf",
        "sha256": hashlib.sha256(b"the minutes").hexdigest(),
    }
    assert "the minutes" not in (institution.folder / "registers/attestations.toml").read_text()


def test_a_second_entry_stands_behind_the_first(institution: Institution, minutes: Path) -> None:
    _attest(institution, minutes)
    _attest(institution, minutes, "AT-2", scene="remote_work", answer="no", made_at=None)

    assert [(row["id"], row["scenes"]) for row in _listed(institution)] == [("AT-1", []), ("AT-2", ["remote_work"])]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requirement": "1-1/covered-entrance"}, "did you mean '1-1/covered-entrances'"),
        ({"system": "cor"}, "did you mean 'core'"),
        ({"expires_at": "2026-09-01"}, "lies before it was made"),
        ({"expires_at": "soon"}, "write a date"),
        ({"scene": "cloud_access"}, "is not a scene of core"),
        ({"document": "/nowhere.pdf"}, "No such file"),
        ({"statement": "bell \x07"}, "control character"),
    ],
)
def test_what_would_be_wrong_is_told_and_nothing_is_written(
    institution: Institution, minutes: Path, changes: dict[str, str], said: str
) -> None:
    result = _attest(institution, minutes, **changes)

    assert result.exit_code == 2
    assert said in result.stderr
    assert list((institution.folder / "registers").iterdir()) == []


def test_an_id_is_borne_once(institution: Institution, minutes: Path) -> None:
    _attest(institution, minutes)
    path = institution.folder / "registers/attestations.toml"
    before = path.read_bytes()
    again = _attest(institution, minutes, made_at=None)

    assert again.exit_code == 2
    assert "'AT-1' stands at" in again.stderr
    assert path.read_bytes() == before


def test_quotes_and_backslashes_come_back_as_they_were(institution: Institution, minutes: Path) -> None:
    words = 'He said "no\\way" – 全部入口'
    _attest(institution, minutes, statement=words)
    shown = json.loads(_run(institution, "attest", "show", "AT-1", "--json").stdout)

    assert shown["fields"]["statement"] == words


def test_the_owner_cannot_sign_for_themself(institution: Institution, minutes: Path) -> None:
    _attest(institution, minutes, owner="張三")
    result = _run(institution, "attest", "approve", "AT-1", "--key", institution.approver_key)

    assert result.exit_code == 2
    assert "its owner and its approver are one person" in result.stderr


def test_what_soon_ends_is_listed_and_nothing_else(institution: Institution, minutes: Path) -> None:
    ends = {"AT-1": "2026-11-20", "AT-2": "2026-12-24", "AT-3": "2026-11-10", "AT-4": "2026-11-12"}
    fields: dict[str, Any] = {name.removeprefix("--").replace("-", "_"): value for name, value in COMMON.items()}
    fields |= {"document": document_of(minutes)}
    texts = [entry_text(EntryKind.ATTESTATION, fields | {"id": id_, "expires_at": end}) for id_, end in ends.items()]
    (institution.folder / "registers/attestations.toml").write_text("".join(texts))
    for entry in ("AT-1", "AT-2", "AT-3"):
        _run(institution, "registers", "record")
        _run(institution, "attest", "approve", entry, "--key", institution.approver_key)

    assert [row["id"] for row in _listed(institution, "attest", "expiring")] == ["AT-3", "AT-1"]
    assert len(_listed(institution, "attest", "expiring", "--days", "60")) == 3


@pytest.mark.parametrize(
    ("word", "own"),
    [
        (
            "drill",
            {
                "--requirement": "1-5/revocation-drill",
                "--statement": "done",
                "--trigger": "stolen token",
                "--decision": "revoke",
                "--action": "session ended",
                "--occurred-at": "2026-09-30T10:00:00+08:00",
            },
        ),
        (
            "review",
            {
                "--requirement": "1-6/log-review",
                "--statement": "done",
                "--answer": "yes",
                "--period-from": "2026-07-01",
                "--period-to": "2026-09-30",
                "--count": 12,
            },
        ),
        (
            "exception",
            {
                "--requirement": "1-1/mfa-enforced",
                "--type": "planned",
                "--reason": "A second lock stands before this console until it is replaced.",
                "--asset": ["user:ad:a", "user:ad:b"],
            },
        ),
    ],
)
def test_every_kind_is_written_signed_and_counts(
    institution: Institution, minutes: Path, word: str, own: dict[str, Any]
) -> None:
    given = {name: COMMON[name] for name in ("--system", "--owner", "--approver", "--made-at", "--expires-at")}
    added = _run(institution, word, "add", "X-1", *_options(given | own | {"--document": minutes}))
    signed = _run(institution, word, "approve", "X-1", "--key", institution.approver_key)

    assert added.exit_code == 0, added.stderr
    assert signed.exit_code == 0, signed.stderr
    assert [(row["id"], row["counts"]) for row in _listed(institution, word)] == [("X-1", True)]


def test_an_entry_of_another_kind_is_not_found(institution: Institution, minutes: Path) -> None:
    _attest(institution, minutes)
    result = _run(institution, "drill", "show", "AT-1")

    assert result.exit_code == 2
    assert "there is no drill 'AT-1'" in result.stderr


def _bound(institution: Institution, minutes: Path) -> Any:
    given = COMMON | {"--document": minutes, "--made-at": stamp(now() - timedelta(minutes=5))}
    given |= {"--binds": "SignIn", "--store": institution.store}
    return _run(institution, "attest", "add", "AT-1", *_options(given))


def _standing(institution: Institution) -> tuple[bool, str | None, str, str]:
    assessment = institution.scan()
    (row,) = assessment["registers"]
    return row["counts"], row["why"], row["detail"], requirement(assessment, "1-1", "covered-entrances")["state"]


def test_an_attestation_lapses_when_what_it_speaks_of_changes(institution: Institution, minutes: Path) -> None:
    institution.scan()
    added = _bound(institution, minutes)
    assert added.exit_code == 0, added.stderr
    _run(institution, "attest", "approve", "AT-1", "--key", institution.approver_key)
    same = _standing(institution)
    institution.supply([user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="report_only")])
    changed = _standing(institution)
    institution.supply([user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="not_required")])
    back = _standing(institution)

    assert same == (True, None, "", "met")
    assert changed == (False, "lapsed", "what it speaks of has changed since it was made: SignIn", "undetermined")
    assert back == same


def test_losing_what_an_attestation_speaks_of_does_not_keep_it(institution: Institution, minutes: Path) -> None:
    institution.scan()
    _bound(institution, minutes)
    _run(institution, "attest", "approve", "AT-1", "--key", institution.approver_key)
    institution.supply([user("amy"), user("bob"), sign_in("amy")])

    assert _standing(institution)[:2] == (False, "lapsed")


def test_a_bound_statement_that_is_edited_no_longer_counts(institution: Institution, minutes: Path) -> None:
    institution.scan()
    _bound(institution, minutes)
    _run(institution, "attest", "approve", "AT-1", "--key", institution.approver_key)
    path = institution.folder / "registers/attestations.toml"
    text = path.read_text()
    at = text.index("binds_sha256") + len('binds_sha256 = "')
    path.write_text(text[:at] + "0" * 64 + text[at + 64 :])

    assert _standing(institution)[:2] == (False, "self_declared")


def test_binding_to_a_fact_that_does_not_exist_is_told(institution: Institution, minutes: Path) -> None:
    institution.scan()
    result = _attest(institution, minutes, binds="SignInn", store=institution.store)

    assert result.exit_code == 2
    assert "did you mean 'SignIn'" in result.stderr


def test_binding_to_a_fact_of_which_nothing_is_known_is_refused(institution: Institution, minutes: Path) -> None:
    institution.scan()
    result = _attest(institution, minutes, binds="Privilege", store=institution.store)

    assert result.exit_code == 2
    assert "nothing is known of Privilege in core" in result.stderr
