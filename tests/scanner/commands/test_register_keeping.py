"""Entries after they were written, by command line: signed with SSH, taken back, recorded, held to the last seal."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scanner.commands.stage import Institution, now, requirement, stamp, ztgrade
from tests.scanner.institution.test_ssh_signature import made, needs_ssh, signed

REASON = "An entrance was found that the list does not name."


def run(institution: Institution, word: str, *arguments: object) -> Any:
    result = ztgrade(word, *arguments, "--estate", institution.estate)
    assert result.exit_code == 0, result.stderr
    return result


def attest(institution: Institution, id_: str, answer: str = "yes", approver: str = "chang") -> None:
    """An attestation of this moment."""
    minutes = institution.folder / "minutes.pdf"
    minutes.write_bytes(b"the minutes")
    what = ("--requirement", "1-1/covered-entrances", "--system", "core", "--statement", "It is so.")
    who = ("--owner", "wang", "--approver", approver, "--answer", answer, "--document", minutes)
    run(institution, "attest", "add", id_, *what, *who, "--expires-at", stamp(now() + timedelta(days=90)))


def approve(institution: Institution, id_: str) -> None:
    run(institution, "attest", "approve", id_, "--key", institution.approver_key)


def listed(institution: Institution, word: str = "attest") -> dict[str, tuple[bool, str | None]]:
    rows = json.loads(run(institution, word, "list", "--json").stdout)["entries"]
    return {row["id"]: (row["counts"], row["why"]) for row in rows}


def test_an_entry_is_taken_back_and_the_revocation_is_signed_like_any_other(institution: Institution) -> None:
    attest(institution, "AT-1", "no")
    approve(institution, "AT-1")
    told = run(
        institution, "attest", "revoke", "AT-1", "--reason", REASON, "--owner", "wang", "--approver", "chang"
    ).stderr
    before = listed(institution)
    approve(institution, "RE-AT-1")

    assert "ztgrade attest approve RE-AT-1" in told
    assert before == {"AT-1": (True, None), "RE-AT-1": (False, "self_declared")}
    assert listed(institution) == {"AT-1": (False, "revoked"), "RE-AT-1": (True, None)}
    shown = run(institution, "attest", "show", "RE-AT-1").stdout
    assert "RE-AT-1  revokes AT-1  until it is taken back  counts" in shown


def test_what_is_not_there_cannot_be_taken_back(institution: Institution) -> None:
    attest(institution, "AT-1")
    options = ("--reason", REASON, "--owner", "wang", "--approver", "chang", "--estate", institution.estate)
    result = ztgrade("attest", "revoke", "AT-2", *options)

    assert result.exit_code == 2
    assert "there is no attestation 'AT-2'; did you mean 'AT-1'" in result.stderr


@needs_ssh
def test_an_approver_signs_with_a_key_of_ssh(institution: Institution, tmp_path: Path) -> None:
    key = made(tmp_path)
    line = key.with_name(key.name + ".pub").read_text().strip()
    institution.write_estate(f'[approvers.li]\nname = "李四"\nssh_key = "{line}"\n')
    attest(institution, "AT-1", approver="li")
    payload = tmp_path / "AT-1.json"
    run(institution, "attest", "payload", "AT-1", "--output", payload)
    printed = ztgrade("attest", "payload", "AT-1", "--estate", institution.estate).stdout_bytes
    payload.with_name("AT-1.sig").write_bytes(signed(key, payload.read_bytes()))
    run(institution, "attest", "approve", "AT-1", "--ssh-signature", payload.with_name("AT-1.sig"))

    assert printed == payload.read_bytes()
    assert listed(institution) == {"AT-1": (True, None)}
    assert ztgrade("attest", "approve", "AT-1", "--estate", institution.estate).exit_code == 2


def test_what_was_written_by_hand_is_recorded_once_and_listed(institution: Institution) -> None:
    attest(institution, "AT-1")
    path = institution.folder / "registers/attestations.toml"
    path.write_text(path.read_text().replace("It is so.", "It is not quite so."))
    first = run(institution, "registers", "record")
    again = run(institution, "registers", "record")

    assert first.stdout == "2  changed  attestation AT-1\n"
    assert (again.stdout, again.stderr.split(" ")[0]) == ("", "0")


def test_an_older_paper_is_entered_by_when_it_took_effect(institution: Institution) -> None:
    attest(institution, "AT-1")
    path = institution.folder / "registers/attestations.toml"
    before = path.read_bytes()
    what = ("--requirement", "1-1/covered-entrances", "--system", "core", "--statement", "It is so.")
    who = ("--owner", "wang", "--approver", "chang", "--answer", "yes", "--document", path)
    options = (*what, *who, "--expires-at", "2099-01-01", "--estate", institution.estate)
    back = ztgrade("attest", "add", "AT-2", *options, "--made-at", "2026-01-01")
    unchanged = path.read_bytes() == before
    older = ztgrade("attest", "add", "AT-2", *options, "--effective-from", "2026-01-01")

    assert (back.exit_code, older.exit_code) == (2, 0)
    assert "lies before the end of the chain" in back.stderr
    assert unchanged


@pytest.mark.parametrize(
    ("word", "given"),
    [
        (
            "plan-register",
            (
                *("--statement", "Soon.", "--scene", "remote_work", "--current", "none", "--target", "I"),
                *("--due", "2027-06-30", "--status", "planned"),
            ),
        ),
        (
            "scope-statement",
            ("--statement", "None.", "--item", "1-4", "--population", "Application", "--expires-at", "2099-01-01"),
        ),
    ],
)
def test_plans_and_scope_statements_are_kept_like_any_entry(
    institution: Institution, word: str, given: tuple[str, ...]
) -> None:
    run(institution, word, "add", "X-1", "--system", "core", "--owner", "wang", "--approver", "chang", *given)
    run(institution, word, "payload", "X-1")
    run(institution, word, "approve", "X-1", "--key", institution.approver_key)

    assert listed(institution, word) == {"X-1": (True, None)}
    assert listed(institution) == {}
    run(institution, word, "revoke", "X-1", "--reason", REASON, "--owner", "wang", "--approver", "chang")
    assert listed(institution, word) == {"X-1": (False, "revoked"), "RE-X-1": (False, "self_declared")}
    assert run(institution, word, "expiring", "--json").stdout.strip().endswith("}")


def test_a_chain_written_anew_between_two_assessments_is_told_until_it_is_restored(institution: Institution) -> None:
    attest(institution, "AT-1")
    approve(institution, "AT-1")
    chain = institution.folder / "registers/chain.jsonl"
    sealed = chain.read_bytes()
    states = [requirement(institution.scan(), "1-1", "covered-entrances")["state"]]
    chain.unlink()
    run(institution, "registers", "record")
    rewritten = chain.read_bytes()
    if rewritten == sealed:  # written anew within the same second
        chain.write_bytes(b"".join(sealed.splitlines(keepends=True)[:1]))
    details = []
    for _ in range(2):
        assessment = institution.scan()
        states.append(requirement(assessment, "1-1", "covered-entrances")["state"])
        details.append(assessment["registers"][0]["detail"])
    regraded = ztgrade("regrade", assessment["path"], "--store", institution.store)
    chain.write_bytes(sealed)
    states.append(requirement(institution.scan(), "1-1", "covered-entrances")["state"])

    assert states == ["met", "undetermined", "undetermined", "met"]
    assert all("the chain was rewritten from line" in detail for detail in details)
    assert regraded.exit_code == 0, regraded.stdout
