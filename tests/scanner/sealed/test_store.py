"""Collections come in as records and stay whole, private and in order, whatever happens to the process or the disk."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scanner.errors import SealError, StoreBusy, StoreError
from scanner.facts import Authenticators, Placement, User
from scanner.facts.identity import Authenticator
from scanner.model import Capture, Census, Gap, GapWhy, Listing, Origin, SourceIdentity, Target
from scanner.sealed.parquet import sql_path
from scanner.sealed.seal import verify
from scanner.sealed.store import Collection, CollectionWriter, Store, Writer, censuses, gap_rows, gaps

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


def asset(number: int) -> str:
    return f"user:corp:S-1-5-21-1-{number:07d}"


def start(writer: Writer, target: str = "ad", at: datetime = NOON) -> CollectionWriter:
    return writer.collection(
        Target(name=target, collector="import", source="ad-corp"),
        collector="import",
        version="1",
        origin=Origin.LIVE,
        started_at=at,
        estate_digest="e" * 64,
        promises=["User", "SignIn"],
    )


def collect(store: Store, users: int = 3, target: str = "ad", at: datetime = NOON, complete: bool = True) -> Collection:
    with store.writing() as writer:
        into = start(writer, target, at)
        for number in range(users):
            into.add(User(asset=asset(number), observed_at=at, enabled=True, login=f"login-{number}"))
        return into.seal(complete, at + timedelta(minutes=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", create=True) as opened:
        yield opened


def rows(path: Path | None) -> list[tuple[Any, ...]]:
    assert path is not None
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT * FROM read_parquet({sql_path(path)})").fetchall()


def test_everything_that_was_added_is_read_back(store: Store) -> None:
    listing = Listing(User, "(objectClass=user)")
    listing.add(asset(1))
    with store.writing() as writer:
        into = start(writer)
        into.add(SourceIdentity(kind="domain_sid", value="S-1-5-21-1"))
        into.add(SourceIdentity(kind="domain_sid", value="S-1-5-21-1"))
        into.add(User(asset=asset(1), observed_at=NOON, enabled=True, display_name="Chang", login="chang"))
        into.add(Gap(fact="SignIn", why=GapWhy.DENIED, detail="needs Policy.Read.All"))
        into.add(listing.census(as_of=NOON))
        into.add(Capture(name="page 1", media_type="application/json", content=b'{"value": []}'))
        collection = into.seal(True, NOON)

    assert collection.meta.facts == {"User": 1}
    assert collection.meta.gaps == 1
    assert collection.meta.identities == [SourceIdentity(kind="domain_sid", value="S-1-5-21-1")]
    assert collection.meta.promises == ["SignIn", "User"]
    assert rows(collection.fact_file("User")) == [(asset(1), NOON.replace(tzinfo=None), True, None, None)]
    assert rows(collection.identity_file("User")) == [(asset(1), "Chang", "chang")]
    assert [(row.target, row.fact, row.why) for row in gap_rows(collection)] == [("ad", "SignIn", GapWhy.DENIED)]
    (census,) = censuses(collection)
    assert (census.n, census.keys, census.complete) == (1, None, True)
    assert rows(collection.census_keys_file("User")) == [(census.digest, asset(1))]
    (raw,) = json.loads((collection.path / "raw.json").read_bytes())
    assert gzip.decompress((collection.path / "raw" / f"{raw['sha256']}.gz").read_bytes()) == b'{"value": []}'
    assert store.collections() == [collection]
    assert collection.whole() is collection
    assert collection.ref().digest == collection.root == collection.path.name


def test_names_of_persons_stay_out_of_the_fact_file(store: Store) -> None:
    collection = collect(store)
    needle = b"login-1"
    holders = [
        path.relative_to(collection.path).parts[0]
        for path in collection.path.rglob("*.parquet")
        if needle in duckdb_text(path)
    ]
    assert holders == ["identity"]


def duckdb_text(path: Path) -> bytes:
    return repr(rows(path)).encode()


@pytest.mark.parametrize(
    "record",
    [
        User(asset="user:corp:1", observed_at=datetime(2026, 1, 1), enabled=True),
        User(asset="user:corp:1", observed_at=NOON, enabled="yes"),  # type: ignore[arg-type]
        User(asset="device:corp:1", observed_at=NOON),
        User(asset="nobody", observed_at=NOON),
        User(asset="user:corp:a\nb", observed_at=NOON),
        User(asset=None, observed_at=None),  # type: ignore[arg-type]
        Gap(fact="User", why="because", detail="x"),  # type: ignore[arg-type]
        Gap(fact="User", why=GapWhy.DENIED, detail="\ud800"),
        Census(fact="User", query="q", as_of=NOON, complete=True, n=2, digest="0" * 64, keys=(asset(1),)),
        Census(fact="../x", query="q", as_of=NOON, complete=True, n=0, digest="0" * 64),
        Census(fact="User", query="q", as_of=datetime(2026, 1, 1), complete=True, n=0, digest="0" * 64),
        Capture(name="a", media_type="b", content="text"),  # type: ignore[arg-type]
        SourceIdentity(kind=1, value="x"),  # type: ignore[arg-type]
        {"fact": "User"},
        None,
    ],
)
def test_a_bad_record_becomes_one_malformed_gap_and_nothing_else(store: Store, record: Any) -> None:
    with store.writing() as writer:
        into = start(writer)
        into.add(User(asset=asset(1), observed_at=NOON))
        into.add(record)
        into.add(User(asset=asset(2), observed_at=NOON))
        collection = into.seal(True, NOON)
    assert [gap.why for gap in gaps(collection)] == [GapWhy.MALFORMED]
    assert next(gaps(collection)).detail.startswith("record 2 ")
    assert collection.meta.facts == {"User": 2}
    assert censuses(collection) == []
    assert collection.verify().ok


def test_gap_of_a_refused_record_does_not_repeat_its_values(store: Store) -> None:
    with store.writing() as writer:
        into = start(writer)
        into.add_row("User", {"asset": asset(1), "observed_at": "2026-11-20T04:00:00Z", "category": "hunter2"})
        into.add_row("User", {"asset": asset(1), "observed_at": "2026-11-20T04:00:00Z", "enabled": "hunter2"})
        into.add_row("User", {"asset": asset(1), "observed_at": "2026-11-20T04:00:00Z", "hunter2 x": 1})
        into.add_row("hunter2 \ud800", {"asset": asset(1)})
        into.add_row("User", {"asset": "hunter2", "observed_at": "2026-11-20T04:00:00Z"})
        into.add_row("User", ["hunter2"])  # type: ignore[arg-type]
        collection = into.seal(True, NOON)
    assert collection.meta.gaps == 6
    assert b"hunter2" not in (collection.path / "gaps.ndjson").read_bytes()
    assert next(gaps(collection)).asset == asset(1)


def test_two_rows_for_one_asset_are_both_kept(store: Store) -> None:
    with store.writing() as writer:
        into = start(writer)
        for enabled in (True, False, True):
            into.add(User(asset=asset(1), observed_at=NOON, enabled=enabled))
        collection = into.seal(True, NOON)
    assert [row[2] for row in rows(collection.fact_file("User"))] == [False, True, True]


def test_lists_of_structs_survive(store: Store) -> None:
    with store.writing() as writer:
        into = start(writer)
        methods = [Authenticator(method="sms", usable=None), Authenticator(method="fido2_bound", usable=True)]
        into.add(Authenticators(asset=asset(1), observed_at=NOON, methods=methods))
        into.add(Authenticators(asset=asset(2), observed_at=NOON, methods=[]))
        into.add(Placement(asset=asset(1), observed_at=NOON, groups=["b", "a", "b"]))
        collection = into.seal(True, NOON)
    found = rows(collection.fact_file("Authenticators"))
    assert [row[2] for row in found] == [
        [{"method": "sms", "usable": None}, {"method": "fido2_bound", "usable": True}],
        [],
    ]
    assert rows(collection.fact_file("Placement"))[0][3] == ["a", "b"]


def test_an_empty_collection_is_sealed_too(store: Store) -> None:
    collection = collect(store, users=0)
    assert collection.meta.facts == {}
    assert collection.fact_file("User") is None
    assert collection.whole().meta.complete


def test_the_same_content_is_sealed_once(store: Store) -> None:
    first, second = collect(store), collect(store)
    assert first == second
    assert store.head() is not None
    assert store.head().sequence == 1  # type: ignore[union-attr]


def test_newest_is_the_complete_one_that_finished_last(store: Store) -> None:
    late = collect(store, at=NOON + timedelta(days=2))
    collect(store, at=NOON)
    broken = collect(store, at=NOON + timedelta(days=3), complete=False)
    collect(store, target="other", at=NOON + timedelta(days=9))
    assert store.newest("ad") == late
    assert store.newest("ad", complete_only=False) == broken
    assert store.newest("nothing") is None


def test_an_older_collection_never_steps_in_for_one_that_is_gone(store: Store) -> None:
    collect(store, at=NOON)
    late = collect(store, at=NOON + timedelta(days=1))
    shutil.rmtree(late.path)
    for ask in (store.collections, lambda: store.newest("ad")):
        with pytest.raises(SealError, match="collect ad again"):
            ask()
    again = collect(store, at=NOON + timedelta(days=2))
    assert store.newest("ad") == again == store.collections()[-1]


def test_older_collections_may_be_cleared_away(store: Store) -> None:
    shutil.rmtree(collect(store, at=NOON).path)
    shutil.rmtree(collect(store, at=NOON + timedelta(days=3), complete=False).path)
    late = collect(store, at=NOON + timedelta(days=1))
    assert store.collections() == [late]


def test_a_damaged_folder_that_no_catalogue_knows_is_not_passed_over(store: Store) -> None:
    damaged = collect(store, at=NOON)
    collect(store, at=NOON - timedelta(days=1))
    store.close()
    (store.path / "catalogue.sqlite").unlink()
    (damaged.path / "statement.dsse.json").write_bytes(b"{}")
    (store.path / "collections" / "README").write_text("a stray file harms nobody")
    with Store.open(store.path) as again:
        for ask in (again.collections, lambda: again.newest("ad"), lambda: collect(again)):
            with pytest.raises(SealError, match=r"move .* away"):
                ask()
        shutil.rmtree(damaged.path)
        again.refresh()
        assert len(again.collections()) == 1


def test_a_used_up_writer_says_so(store: Store) -> None:
    with store.writing() as writer:
        into = start(writer)
        into.seal(True, NOON)
        with pytest.raises(StoreError, match="start another"):
            into.add(User(asset=asset(1), observed_at=NOON))


def test_a_collection_that_was_not_sealed_leaves_nothing(store: Store) -> None:
    with store.writing() as writer:
        start(writer).add(User(asset=asset(1), observed_at=NOON))
    assert list((store.path / "tmp").iterdir()) == []
    assert store.collections() == []


def test_many_threads_seal_into_one_chain(store: Store) -> None:
    with store.writing() as writer:

        def one(number: int) -> None:
            into = start(writer, f"target-{number}")
            into.add(User(asset=asset(number), observed_at=NOON))
            into.seal(True, NOON)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(store.collections()) == 6
    assert verify(store.path).problems == ()
    assert verify(store.path).sequence == 6


def test_a_second_writer_is_refused_at_once_by_name_of_the_first(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from scanner.sealed.store import Store\n"
        "with Store.open(Path(sys.argv[1])) as s, s.writing(): print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        begun = time.monotonic()
        with pytest.raises(StoreBusy, match=f"process {other.pid} "), store.writing():
            pass
        assert time.monotonic() - begun < 1
        other.communicate()
    collect(store)
    assert len(store.collections()) == 1


def test_a_reader_sees_what_another_process_sealed(store: Store) -> None:
    with Store.open(store.path) as other:
        collection = collect(other)
    store.refresh()
    assert store.collections() == [collection]


def test_everything_is_private(store: Store) -> None:
    old = os.umask(0)
    try:
        collect(store)
    finally:
        os.umask(old)
    for path in (store.path, *store.path.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_store_that_others_may_enter_is_not_written(store: Store) -> None:
    store.path.chmod(0o750)
    with pytest.raises(StoreError, match="chmod 700"), store.writing():
        pass


def test_a_key_that_others_may_read_is_refused(store: Store) -> None:
    collect(store)
    (store.path / "keys" / "sealing.pem").chmod(0o640)
    with pytest.raises(StoreError, match="others may read this key"), store.writing():
        pass


def test_whatever_an_earlier_writer_left_is_removed(store: Store) -> None:
    (store.path / "tmp" / "draft").write_text("left by a kill")
    (store.path / "tmp" / "folder" / "deep").mkdir(parents=True)
    (store.path / "tmp" / "link").symlink_to(store.path / "collections")
    with store.writing():
        assert list((store.path / "tmp").iterdir()) == []
    assert (store.path / "collections").is_dir()


def test_a_folder_that_is_no_store_is_neither_opened_nor_taken_over(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(tmp_path)
    (tmp_path / "letters").mkdir()
    with pytest.raises(StoreError, match="'letters'"):
        Store.open(tmp_path, create=True)


def test_a_path_full_of_pattern_characters_works(tmp_path: Path) -> None:
    with Store.open(tmp_path / "it's [a] *store?", create=True) as store:
        collection = collect(store)
        assert len(rows(collection.fact_file("User"))) == 3


def test_the_catalogue_is_rebuilt_from_the_folders(store: Store) -> None:
    before = [collect(store, at=NOON + timedelta(days=day)) for day in range(3)]
    head = store.head()
    store.close()
    for damage in (Path.unlink, lambda path: path.write_bytes(b"no database, " * 100)):
        damage(store.path / "catalogue.sqlite")
        with Store.open(store.path) as again:
            assert again.collections() == before
            assert again.head() == head
            assert again.newest("ad") == before[-1]


def assessed(store: Store, collections: list[Collection], digest: str = "a" * 64, baseline: str = "fsc-2024") -> Path:
    report = store.path.parent / "report.txt"
    report.write_text("from a file")
    document = {"baseline": {"id": baseline}, "as_of": "2026-11-20T04:00:00Z"}
    files: dict[str, bytes | Path] = {"assessment.json": json.dumps(document).encode(), "reports/report.txt": report}
    with store.writing() as writer:
        return writer.assessment(digest, files, collections)


def test_an_assessment_holds_its_collections_without_doubling_them(store: Store) -> None:
    collection = collect(store)
    path = assessed(store, [collection, collection])
    assert path.name == "a" * 64
    inner = path / "inputs" / "collections" / collection.root
    assert (inner / "collection.json").stat().st_ino == (collection.path / "collection.json").stat().st_ino
    assert (path / "reports" / "report.txt").read_text() == "from a file"
    assert verify(path).problems == ()
    assert verify(path).folders == 2
    newest = store.newest_assessment("fsc-2024")
    assert newest is not None
    assert (newest.path, newest.as_of, newest.sequence) == (path, "2026-11-20T04:00:00Z", 2)
    assert store.newest_assessment("other") is None
    assert verify(store.path).problems == ()


def test_an_assessment_copies_where_links_do_not_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = collect(store)

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    path = assessed(store, [collection])
    assert verify(path).problems == ()
    inner = path / "inputs" / "collections" / collection.root / "collection.json"
    assert inner.stat().st_mode & 0o077 == 0


def test_the_same_assessment_is_sealed_once(store: Store) -> None:
    collection = collect(store)
    assert assessed(store, [collection]) == assessed(store, [collection])
    assert len(store.assessments()) == 1


def test_an_altered_collection_cannot_be_assessed(store: Store) -> None:
    collection = collect(store)
    (collection.path / "gaps.ndjson").write_bytes(b"")
    with (collection.path / "raw.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(SealError, match="altered"):
        assessed(store, [collection])
    assert store.assessments() == []


@pytest.mark.parametrize("name", ["../x", "/x", "", "manifest.json", "a/../b", "inputs/collections/x", "./a", "a\0b"])
def test_files_of_an_assessment_stay_in_its_folder(store: Store, name: str) -> None:
    with store.writing() as writer, pytest.raises(StoreError, match="relative path"):
        writer.assessment("b" * 64, {name: b"x"}, [])
    assert list((store.path / "assessments").iterdir()) == []


KILLED = """
import os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from scanner.facts import User
from scanner.model import Origin, Target
from scanner.sealed.store import Store

def loop(at):
    store = Store.open(Path(sys.argv[1]), create=True)
    for step in range(1000):
        with store.writing() as writer:
            into = writer.collection(
                Target(name="ad", collector="import", source="ad"), collector="import", version="1",
                origin=Origin.LIVE, started_at=at, estate_digest="", promises=("User",),
            )
            at += timedelta(seconds=1)
            for number in range(50):
                into.add(User(asset=f"user:corp:{number}", observed_at=at, enabled=True, login="a"))
            collection = into.seal(True, at)
            writer.assessment(f"{int(at.timestamp()):064x}", {"assessment.json": b"{}"}, [collection])

for round_ in sys.stdin:
    child = os.fork()
    if child == 0:
        loop(datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=int(round_) * 1000))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_kill_at_any_moment_leaves_only_whole_folders(tmp_path: Path) -> None:
    chance = random.Random(20261120)
    path = tmp_path / "store"
    before: dict[str, bytes] = {}
    leftovers = 0
    # One process imports everything and forks each victim, so that rounds are short and kills land in the work.
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as forker:
        assert forker.stdin is not None
        assert forker.stdout is not None
        for round_ in range(15):
            forker.stdin.write(f"{round_}\n")
            victim = int(forker.stdout.readline())
            time.sleep(chance.uniform(0.05, 0.5))
            os.kill(victim, signal.SIGKILL)
            assert forker.stdout.readline() == "gone\n"
            with Store.open(path, create=True) as store:
                leftovers += len(list((path / "tmp").iterdir()))
                assert store.unreadable == ()
                assert verify(path).problems == ()
                now = {
                    f"{place}/{name}": content
                    for place in ("collections", "assessments")
                    for name, content in contents(path / place).items()
                }
                assert {name: now.get(name) for name in before} == before
                before = now
                with store.writing():
                    assert list((path / "tmp").iterdir()) == []
                sealed = len(store.collections())
        forker.stdin.close()
    assert sealed > 0
    assert leftovers > 0


LIMITED = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from scanner.errors import StoreError
from scanner.facts import User
from scanner.model import Origin, Target
from scanner.sealed.store import Store
at = datetime(2026, 11, 20, tzinfo=UTC)
store = Store.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with store.writing() as writer:
        into = writer.collection(
            Target(name="ad", collector="import", source="ad"), collector="import", version="1", origin=Origin.LIVE,
            started_at=at, estate_digest="", promises=("User",),
        )
        for number in range(int(sys.argv[3])):
            into.add(User(asset=f"user:corp:{number * 7919}", observed_at=at, enabled=True, login=str(hash(number))))
        into.seal(True, at)
except StoreError as error:
    print(error)
else:
    print("sealed")
"""


@pytest.mark.parametrize(("limit", "users"), [(200_000, 20_000), (2_000_000, 5), (20_000, 400), (40_000, 400)])
def test_a_file_size_limit_says_what_to_do_and_leaves_nothing_half(store: Store, limit: int, users: int) -> None:
    first = collect(store)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(store.path), str(limit), str(users)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "sealed" or "ulimit" in done.stdout or "free space" in done.stdout
    assert verify(store.path).problems == ()
    store.refresh()
    assert first in store.collections()
    with store.writing():
        assert list((store.path / "tmp").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    mounted = (
        shutil.which("mount") is not None
        and os.geteuid() == 0
        and (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)], capture_output=True
            ).returncode
            == 0
        )
    )
    if not mounted:
        pytest.skip("a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    filler = place / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        file.write(b"x" * max(0, free - leave))
    return filler


def test_a_full_disk_says_so_and_leaves_nothing_half(small_disk: Path) -> None:
    refused = 0
    with Store.open(small_disk / "store", create=True) as store:
        before = [collect(store)]
        for step, leave in enumerate((0, 4, 8, 12, 20, 28, 36, 44, 52, 60, 80, 100, 140)):
            filler = fill(small_disk, leave * 1024)
            try:
                before.append(collect(store, users=400, at=NOON + timedelta(days=1 + step)))
            except StoreError as error:
                refused += "free space" in str(error)
            filler.unlink()
            assert verify(store.path).problems == ()
            assert list((store.path / "tmp").iterdir()) == []
        assert refused > 5
        before.append(collect(store, users=2, at=NOON + timedelta(days=99)))
    with Store.open(small_disk / "store") as store:
        assert set(map(str, before)) <= set(map(str, store.collections()))
        assert verify(store.path).problems == ()


def test_a_read_only_disk_can_be_read_and_says_what_to_do(small_disk: Path) -> None:
    with Store.open(small_disk / "store", create=True) as store:
        first = collect(store)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Store.open(small_disk / "store") as store:
        assert store.collections() == [first]
        assert first.whole() == first
        with pytest.raises(StoreError, match="read-only"), store.writing():
            pass
