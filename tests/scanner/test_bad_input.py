"""Whatever is wrong with what ztgrade is given: it says so, keeps what is whole, and never takes it for good news."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.reports.page import Page
from tests.scanner.commands.stage import (
    ESTATE,
    Institution,
    Row,
    now,
    parsed,
    requirement,
    sign_in,
    stamp,
    user,
    ztgrade,
)

ROWS = [user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="not_required")]


@pytest.fixture
def institution(tmp_path: Path) -> Institution:
    made = Institution(tmp_path)
    made.supply(ROWS)
    return made


def verified(institution: Institution) -> None:
    """The store is whole and its own."""
    public = institution.folder / "store.pem"
    public.write_text(ztgrade("key", "export", "--store", institution.store).stdout)
    result = ztgrade("verify", institution.store, "--trust", public)
    assert result.exit_code == 0, result.stdout


# the estate

BROKEN = (
    ESTATE.replace('id = "small"', 'id = "Small Bank"')
    .replace('collector = "import"', 'collector = "imported"')
    .replace('"SignIn"]', '"SignOn"]')
    .replace('scenes = ["remote_work"]', 'scenes = ["remote_works"]')
    .replace('service_model = "on_premises"', 'service_model = "on_premise"')
    .replace('target = "I"', 'target = "V"')
    .replace("all = true", 'all = "yes"')
    .replace('public_key = "keys/chang.pem"', 'public_key = "keys/nobody.pem"')
    .replace('title.en = "Core"\n', "")
    + "[populations.Users]\ndefined_by = ['ad']\n[extras]\nx = 1\n"
)


def test_every_mistake_of_an_estate_is_told_at_once_with_file_line_and_key(institution: Institution) -> None:
    institution.estate.write_text(BROKEN, encoding="utf-8")
    result = institution.run("scan", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    told = [line.removeprefix("ztgrade: ") for line in result.stderr.splitlines()]
    places = {match.group(1): int(match.group(2)) for line in told if (match := re.match(r"(.*?):(\d+): ", line))}
    assert set(places) == {str(institution.estate)}
    lines = [0, *BROKEN.splitlines()]
    expected = {
        "targets.ad.collector": "did you mean 'import'",
        "targets.ad.promises": "did you mean 'SignIn'",
        "systems.core.scenes": "did you mean 'remote_work'",
        "systems.core.service_model": "did you mean 'on_premises'",
        "systems.core.target": "",
        "systems.core.members.User[0].all": "",
        "approvers.chang.public_key": "nobody.pem",
        "systems.core.title": "",
        "populations.Users": "",
        "extras": "",
        "institution.id": "",
    }
    for key, words in expected.items():
        found = [line for line in told if f": {key}" in line]
        assert found, f"{key} is not told: {told}"
        assert words in found[0]
        number = re.match(r".*?:(\d+): ", found[0])
        assert number, f"no line for {key}"
        last = key.rpartition(".")[2].partition("[")[0]
        assert last in str(lines[int(number.group(1))]) or key == "systems.core.title", found[0]
    assert not institution.store.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, b"\xff\xfe" + "schema_version = 1".encode("utf-16-le"), b"a = " + b"[" * 9000, b"= 1", None],
    ids=["empty", "zeros", "utf-16", "deep", "no-toml", "directory"],
)
def test_a_file_that_is_no_estate_is_refused(institution: Institution, content: bytes | None) -> None:
    institution.estate.unlink()
    if content is None:
        institution.estate.mkdir()
    else:
        institution.estate.write_bytes(content)
    for command in ("plan", "scan"):
        result = institution.run(command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert all(line.startswith(f"ztgrade: {institution.estate}") for line in result.stderr.splitlines())


# supplied files


def cuts(content: bytes) -> Iterator[int]:
    """Every boundary between records, and the middle of every record."""
    place = 0
    for line in content.splitlines(keepends=True):
        yield place
        yield place + len(line) // 2
        place += len(line)
        yield place - 1


def test_a_file_cut_off_anywhere_leaves_gaps_and_closes_nothing(institution: Institution) -> None:
    place = institution.folder / "captures/ad/ad.ndjson"
    whole = place.read_bytes()
    for cut in cuts(whole):
        place.write_bytes(whole[:cut])
        (row,) = parsed(institution.run("collect", "--json", "--quiet"))["collections"]
        folder = institution.store / "collections" / row["digest"]
        censuses = [json.loads(line) for line in (folder / "censuses.ndjson").read_text().splitlines()]
        gaps = [json.loads(line) for line in (folder / "gaps.ndjson").read_text().splitlines()]
        assert gaps, f"cut at {cut}"
        assert [census for census in censuses if census["complete"]] == [], f"cut at {cut}"
    verified(institution)


def test_half_a_file_never_meets_a_requirement(institution: Institution) -> None:
    place = institution.supply([user("amy"), sign_in("amy"), user("bob"), sign_in("bob", mfa="not_required")])
    lines = place.read_bytes().splitlines(keepends=True)
    place.write_bytes(b"".join(lines[:2]) + lines[2][:30])
    result = institution.scan()
    held = requirement(result, "1-1", "mfa-enforced")
    assert (held["state"], held["passed"], held["closed"]) == ("undetermined", 1, False)
    assert {"malformed", "conflict"} <= {gap["why"] for gap in result["gaps"] if gap["target"] == "ad"}


# hostile names

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(2)>"
STEERING = "\u202ekcatta\u2066\u200b\x85\u009b2J"
FORMULA = '=HYPERLINK("http://evil","x")'
LARGE = "A" * 60_000


def hostile() -> list[Row]:
    """Rows whose texts want to be more than text; each second row is sound."""
    return [
        user("amy"),
        sign_in("amy", mfa="not_required", policy=SCRIPT),
        user("bob" + IMAGE),
        sign_in("bob" + IMAGE, mfa="not_required", policy=FORMULA),
        user("eve" + STEERING),
        sign_in("eve" + STEERING, mfa="not_required", policy=STEERING),
        user("fay", display_name=SCRIPT, login=FORMULA),
        sign_in("fay", mfa="not_required", policy=LARGE),
        {"gap": {"fact": "SignIn", "why": "denied", "detail": f"{SCRIPT}\x1b]0;x\x07{STEERING}", "field": "excluded"}},
    ]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """An institution whose sources, titles and owners are hostile, scanned once."""
    made = Institution(tmp_path_factory.mktemp("attacked"))
    made.estate_text = ESTATE.replace('title.en = "Core"', f"title.en = '''{SCRIPT}{IMAGE[2:]}'''").replace(
        'name = "張三"', f"name = '''{SCRIPT}'''"
    )
    made.write_estate()
    made.supply(hostile())
    place = made.folder / "captures/ad/more.ndjson"
    place.write_bytes(
        b'{"fact": "User", "asset": "user:ad:\\u001b[31mred", "observed_at": "2026-11-20T00:00:00Z"}\n'
        b'{"fact": "User", "asset": "user:ad:\\ud800", "observed_at": "2026-11-20T00:00:00Z"}\n'
        b'{"fact": "User", "asset": "user:ad:\xff\xfe", "observed_at": "2026-11-20T00:00:00Z"}\n'
        b'{"fact": "SignIn", "asset": "user:ad:amy", "observed_at": "2026-11-20T00:00:00Z", "policy": "'
        + b"B" * 1_100_000
        + b'"}\n'
        + b'{"fact": "<script>", "asset": "user:ad:amy", "\x1b[2J": 1}\n'
        + b"\x1b[2J\x07 not json at all <script>\n"
        + b'{"fact": "User", "asset": "user:ad:no\\u0000body", "observed_at": "2026-11-20T00:00:00Z"}\n'
    )
    made.scan()
    return made


def test_every_line_that_could_not_be_taken_is_a_gap(attacked: Institution) -> None:
    result = parsed(attacked.run("assess", "--json"))
    malformed = [gap for gap in result["gaps"] if gap["why"] == "malformed"]
    for number in range(1, 8):
        assert any(f"more.ndjson, line {number}" in gap["detail"] for gap in malformed), f"line {number}: {malformed}"
    assert result["errors"] == []
    held = requirement(result, "1-1", "mfa-enforced")
    assert held["failed"] == 4 and held["state"] == "not_met"


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_nothing_that_a_source_says_becomes_part_of_the_page(
    attacked: Institution, tmp_path: Path, language: str
) -> None:
    place = tmp_path / "hostile.html"
    assert attacked.run("report", "latest", "--lang", language, "--output", place).exit_code == 0
    content = place.read_bytes()
    page = Page(content)
    assert page.faults == []
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert len(scripts) == 1 and scripts[0].get("src") is None
    assert "alert(" not in " ".join(page.raw["script"])
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "base"}
        assert "action" not in attributes and "srcdoc" not in attributes
        assert [name for name in attributes if name.startswith("on")] == []
        for name in ("href", "src"):
            assert not re.match(r"\s*(javascript|data|https?):", attributes.get(name, ""), re.IGNORECASE)
    text = content.decode("utf-8")
    assert [letter for letter in set(text) if not letter.isprintable() and letter not in "\n\u3000"] == []
    assert SCRIPT in page.text, "what was hostile is still shown, as text"


def shown(text: str) -> set[str]:
    """Letters that a terminal would not print but obey."""
    return {letter for letter in text if not letter.isprintable()} - {"\n"}


def test_nothing_that_a_source_says_steers_the_terminal(attacked: Institution) -> None:
    for command in (
        ("why", "1-1"),
        ("why", "1-1", "--asset", "user:ad:eve" + STEERING),
        ("why", "1-1", "--asset", "user:ad:nobody" + STEERING),
        ("findings", "latest"),
        ("findings", "latest", "--json"),
        ("assess",),
        ("collect",),
    ):
        result = attacked.run(*command)
        assert shown(result.stdout) | shown(result.stderr) == set(), command
        assert result.stdout or result.stderr
    scope = ztgrade("scope", "explain", "--estate", attacked.estate, "--store", attacked.store)
    assert scope.exit_code == 0 and shown(scope.stdout) == set()


def test_hostile_names_come_back_as_they_were(attacked: Institution, tmp_path: Path) -> None:
    result = attacked.run("findings", "latest", "--json", "--check", "identity.multi_factor.second_factor_is_enforced")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {row["asset"] for row in rows} >= {"user:ad:amy", "user:ad:bob" + IMAGE, "user:ad:eve" + STEERING}
    place = tmp_path / "report.json"
    assert attacked.run("report", "latest", "--format", "json", "--output", place).exit_code == 0
    body = json.loads(place.read_bytes())
    assert "user:ad:eve" + STEERING in {example["asset"] for example in body["dossier"]["examples"]}
    assert b"<script" not in place.read_bytes()


# disks, kills, rights


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root and mount")
    options = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)]
    if (refused := subprocess.run(options, capture_output=True)).returncode:
        pytest.skip(f"a small file system cannot be mounted: {refused.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_during_a_scan_loses_nothing_that_was_sealed(
    institution: Institution, small_disk: Path
) -> None:
    institution.store = small_disk / "store"
    before = institution.scan()
    refused = 0
    for leave in (0, 40, 110):
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        (small_disk / "filler").write_bytes(b"x" * max(0, free - leave * 1024))
        institution.supply(ROWS)
        result = institution.run("scan", "--json", "--quiet")
        if result.exit_code == 2:
            refused += 1
            assert result.stdout == "" and "free space" in result.stderr, result.stderr
        (small_disk / "filler").unlink()
        verified(institution)
    assert refused >= 2
    after = institution.scan()
    assert after["previous"] and before["assessment"] != after["assessment"]
    verified(institution)


def killed(institution: Institution, command: str, wait: float) -> int:
    """Start a command, kill it soon after it begins to write, and say how it ended."""
    options = ["--estate", institution.estate, "--store", institution.store]
    process = subprocess.Popen(
        [sys.executable, "-m", "scanner.cli", command, *map(str, options)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    tmp = institution.store / "tmp"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline and not any(tmp.iterdir()):
        time.sleep(0.002)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def test_a_kill_in_collect_or_assess_leaves_a_store_that_verifies_and_goes_on(institution: Institution) -> None:
    institution.scan()
    ended = []
    for command, wait in (("collect", 0.0), ("assess", 0.0), ("assess", 0.05)):
        institution.supply(ROWS)
        ended.append(killed(institution, command, wait))
        verified(institution)
    assert -signal.SIGKILL in ended
    again = institution.run("scan", "--json", "--quiet")
    assert again.exit_code == 0, again.stderr
    assert requirement(parsed(again), "1-1", "mfa-enforced")["state"] == "not_met"
    assert list((institution.store / "tmp").iterdir()) == []
    verified(institution)


def test_captures_that_may_not_be_read_are_denied_gaps(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("to become somebody without rights needs root")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = Institution(folder)
        made.supply(ROWS)
        captures = folder / "captures/ad"
        for place in (folder, *folder.rglob("*")):
            os.chown(place, 65534, 65534)
        os.chown(captures, 0, 0)
        captures.chmod(0o700)
        os.seteuid(65534)
        try:
            result = made.run("scan", "--json", "--quiet")
        finally:
            os.seteuid(0)
    body = parsed(result)
    assert result.exit_code == 4
    told = {(gap["fact"], gap["why"]) for gap in body["gaps"] if gap["target"] == "ad"}
    assert {("User", "denied"), ("SignIn", "denied")} <= told
    assert requirement(body, "1-1", "mfa-enforced")["state"] == "undetermined"


@pytest.mark.parametrize("what", ["missing", "file", "loop"])
def test_captures_that_are_no_directory_are_gaps(institution: Institution, what: str) -> None:
    place = institution.folder / "captures/ad"
    shutil.rmtree(place)
    if what == "file":
        place.write_text("in the way")
    elif what == "loop":
        place.symlink_to(place)
    (row,) = parsed(institution.run("collect", "--json", "--quiet"))["collections"]
    assert (row["facts"], row["complete"]) == (0, True) and row["gaps"] >= 2


# registers and stores


def test_a_signature_that_is_none_makes_an_entry_self_declared(institution: Institution) -> None:
    yesterday, later = stamp(now() - timedelta(days=1)), stamp(now() + timedelta(days=9))
    bad = {
        "missing": None,
        "empty": b"",
        "binary": os.urandom(300),
        "list": b"[]",
        "hollow": b'{"payload": "", "payloadType": "x", "signatures": []}',
        "deep": b"[" * 100_000,
    }
    entries = []
    for name, content in bad.items():
        entries.append(
            f'[[attestation]]\nid = "{name}"\nrequirement = "1-1/covered-entrances"\nsystem = "core"\n'
            f'statement = "s"\nowner = "lee"\napprover = "chang"\nmade_at = {yesterday}\neffective_from = {yesterday}\n'
            f'expires_at = {later}\nanswer = "yes"\nsignature = "{name}.dsse.json"\n'
            f'document = {{ name = "d.pdf", sha256 = "{"0" * 64}" }}\n'
        )
        if content is not None:
            (institution.folder / f"registers/{name}.dsse.json").write_bytes(content)
    (institution.folder / "registers/documents.toml").write_text("\n".join(entries), encoding="utf-8")
    result = institution.scan()
    rows = {row["id"]: (row["counts"], row["why"]) for row in result["registers"]}
    assert rows == dict.fromkeys(bad, (False, "self_declared"))
    assert requirement(result, "1-1", "covered-entrances")["why"] == ["self_declared"]


def test_a_store_of_a_newer_version_is_left_as_it_is(institution: Institution) -> None:
    institution.run("collect", "--quiet")
    marks = institution.store / "store.json"
    marks.write_text(json.dumps(json.loads(marks.read_text()) | {"schema_version": 2, "more": True}))
    before = {place: place.stat().st_mtime_ns for place in institution.store.rglob("*")}
    for command in ("collect", "assess", "scan"):
        result = institution.run(command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "newer version" in result.stderr
    assert ztgrade("findings", "latest", "--store", institution.store).exit_code == 2
    assert {place: place.stat().st_mtime_ns for place in institution.store.rglob("*")} == before


def test_a_folder_that_is_no_store_is_not_written_to(institution: Institution) -> None:
    institution.store.mkdir(mode=0o700)
    (institution.store / "thesis.txt").write_text("three years of work")
    for command in ("collect", "assess", "scan"):
        assert institution.run(command).exit_code == 2
    assert [place.name for place in institution.store.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", ["a" * 5000, "/dev/null", "/proc/self/mem/x"])
def test_paths_that_lead_nowhere_are_told_without_a_traceback(tmp_path: Path, name: str) -> None:
    for command in (
        ("findings", name),
        ("findings", "latest", "--store", name),
        ("verify", name),
        ("regrade", name),
        ("key", "export", "--store", name),
        ("plan", "--estate", name),
        ("list", "items", "--baseline", name),
        ("list", "assessments", "--store", name),
    ):
        result = ztgrade(*command)
        assert result.exit_code in {2, 3}, command
        assert (result.stdout + result.stderr).strip()


def test_evidence_that_rots_in_the_store_is_named_before_it_is_judged(institution: Institution) -> None:
    institution.scan()
    (place,) = institution.store.glob("collections/*/facts/SignIn.parquet")
    place.chmod(0o600)
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)
    for command in (("assess",), ("findings", "latest"), ("regrade", "latest")):
        result = institution.run(*command)
        assert (result.exit_code, result.stdout) == (3, ""), command
        assert "SignIn.parquet: was altered after sealing" in result.stderr


def test_a_reader_that_wants_one_line_gets_it_and_no_traceback(attacked: Institution) -> None:
    line = f"{sys.executable} -m scanner.cli findings latest --store {attacked.store} --json | head -1"
    found = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert found.stderr == ""
    assert json.loads(found.stdout)["asset"].startswith("user:ad:")
