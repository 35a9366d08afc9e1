"""Nothing that was sealed can be altered, dropped, added or sealed anew without being seen."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from scanner.errors import SealError, StoreError
from scanner.facts import User
from scanner.model import Origin, Target
from scanner.sealed.canonical import canonical_json
from scanner.sealed.seal import FileSigner, key_id, open_envelope, open_trusted, seal_envelope, trusted_keys, verify
from scanner.sealed.signature import is_exact
from scanner.sealed.statement import Link, read_statement, write_manifest, write_statement
from scanner.sealed.store import Collection, Store

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
TYPE = "application/vnd.ztgrade.test+json"


def collect(store: Store, day: int = 0) -> Collection:
    at = NOON + timedelta(days=day)
    with store.writing() as writer:
        into = writer.collection(
            Target(name="ad", collector="import", source="ad"),
            collector="import",
            version="1",
            origin=Origin.LIVE,
            started_at=at,
            estate_digest="",
            promises=("User",),
        )
        into.add(User(asset="user:corp:1", observed_at=at, enabled=True, login="chang"))
        return into.seal(True, at)


def assess(store: Store, collections: list[Collection], digest: str = "a" * 64) -> Path:
    with store.writing() as writer:
        return writer.assessment(digest, {"assessment.json": b"{}", "reports/a.html": b"<p>"}, collections)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", create=True) as opened:
        yield opened


@pytest.fixture
def trust(store: Store) -> bytes:
    collect(store)
    return (store.path / "keys" / "sealing.pub.pem").read_bytes()


def edit_file(folder: Path) -> None:
    path = folder / "facts" / "User.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def edit_and_keep_size_and_time(folder: Path) -> None:
    path = folder / "collection.json"
    info = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"complete":true', b'"complete":null'))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def drop_file(folder: Path) -> None:
    (folder / "gaps.ndjson").unlink()


def add_file(folder: Path) -> None:
    (folder / "facts" / "SignIn.parquet").write_bytes(b"")


def swap_for_link(folder: Path) -> None:
    path = folder / "raw.json"
    path.rename(folder.parent.parent / "elsewhere.json")
    path.symlink_to(folder.parent.parent / "elsewhere.json")


def add_linked_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder / "facts")


def edit_manifest(folder: Path) -> None:
    edit_file(folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    shutil.copytree(folder, folder.parent.parent / "tmp" / "other", ignore=lambda *_: ["manifest.json"])
    fresh = folder.parent.parent / "tmp" / "other"
    (fresh / "statement.dsse.json").unlink()
    write_manifest(fresh, manifest["kind"])
    path.write_bytes((fresh / "manifest.json").read_bytes())
    shutil.rmtree(fresh)


def respell_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes() + b"\n")


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b'{"files": [')


def edit_statement(folder: Path) -> None:
    def change(payload: dict[str, Any]) -> None:
        payload["predicate"]["sealed_at"] = "2020-01-01T00:00:00Z"

    edit_payload(folder, change)


def edit_chain(folder: Path) -> None:
    def change(payload: dict[str, Any]) -> None:
        payload["predicate"]["chain"]["sequence"] = 7

    edit_payload(folder, change)


def edit_payload(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "statement.dsse.json"
    envelope = json.loads(path.read_bytes())
    payload = json.loads(base64.b64decode(envelope["payload"]))
    change(payload)
    envelope["payload"] = base64.b64encode(canonical_json(payload)).decode()
    path.write_bytes(canonical_json(envelope))


def respell_statement(folder: Path) -> None:
    path = folder / "statement.dsse.json"
    path.write_bytes(json.dumps(json.loads(path.read_bytes()), indent=1).encode())


def edit_key_id(folder: Path) -> None:
    path = folder / "statement.dsse.json"
    envelope = json.loads(path.read_bytes())
    envelope["signatures"][0]["keyid"] = "0" * 64
    path.write_bytes(canonical_json(envelope))


def add_to_envelope(folder: Path) -> None:
    path = folder / "statement.dsse.json"
    path.write_bytes(canonical_json(json.loads(path.read_bytes()) | {"note": "fine"}))


def drop_statement(folder: Path) -> None:
    (folder / "statement.dsse.json").unlink()


def break_statement(folder: Path) -> None:
    (folder / "statement.dsse.json").write_bytes(b"[]")


TAMPERS = [
    edit_file,
    edit_and_keep_size_and_time,
    drop_file,
    add_file,
    swap_for_link,
    add_linked_folder,
    edit_manifest,
    respell_manifest,
    drop_manifest,
    break_manifest,
    edit_statement,
    edit_chain,
    respell_statement,
    edit_key_id,
    add_to_envelope,
    drop_statement,
    break_statement,
]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("tamper", TAMPERS)
def test_tampering_with_a_collection_is_seen_alone_in_the_store_and_in_an_assessment(
    store: Store, trust: bytes, tamper: Callable[[Path], None], trusted: bool
) -> None:
    (collection,) = store.collections()
    path = assess(store, [collection])
    keys = trust if trusted else None
    assert verify(collection.path, keys).ok
    assert verify(store.path, keys).ok
    inner = path / "inputs" / "collections" / collection.root
    copied = store.path.parent / "copy"
    shutil.copytree(inner, copied)
    shutil.rmtree(inner)
    shutil.copytree(copied, inner)

    tamper(collection.path)
    found = verify(collection.path, keys)
    assert not found.ok
    assert all(str(collection.path) in problem for problem in found.problems)
    assert found.exit_code == 3
    assert not verify(store.path, keys).ok
    assert verify(path, keys).ok

    tamper(inner)
    assert not verify(path, keys).ok


def test_whole_is_said_only_of_a_known_signer(store: Store, trust: bytes) -> None:
    (collection,) = store.collections()
    unknown = verify(collection.path)
    assert (unknown.ok, unknown.signer_known, unknown.exit_code) == (True, False, 3)
    assert unknown.verdict == "whole, signer unknown"
    known = verify(collection.path, trust)
    assert (known.ok, known.signer_known, known.exit_code) == (True, True, 0)
    assert known.key_id == key_id(trust) == unknown.key_id
    assert known.root == collection.root


def test_the_key_of_another_is_not_accepted(store: Store, trust: bytes, tmp_path: Path) -> None:
    other = FileSigner.make(tmp_path / "other.pem")
    found = verify(store.path, other.public_pem)
    assert not found.ok
    assert f"signed by key {key_id(trust)}" in found.problems[0]
    assert verify(store.path, other.public_pem + trust).exit_code == 0


def test_a_forger_with_an_own_key_is_seen_only_with_trust(store: Store, trust: bytes, tmp_path: Path) -> None:
    (collection,) = store.collections()
    reseal(collection.path, FileSigner.make(tmp_path / "forger.pem"), edit_file)
    assert verify(collection.path).verdict == "whole, signer unknown"
    assert not verify(collection.path, trust).ok


def reseal(folder: Path, signer: FileSigner, tamper: Callable[[Path], None]) -> str:
    sealed, _, _ = read_statement(folder)
    link = sealed.link
    tamper(folder)
    (folder / "manifest.json").unlink()
    (folder / "statement.dsse.json").unlink()
    root, manifest_sha256 = write_manifest(folder, sealed.kind)
    write_statement(
        folder,
        kind=sealed.kind,
        name=root,
        root=root,
        manifest_sha256=manifest_sha256,
        link=link,
        sealed_at=NOON,
        signer=signer,
    )
    return root


def test_an_insider_with_the_key_is_caught_only_by_an_anchor(store: Store, trust: bytes) -> None:
    (collection,) = store.collections()
    head = store.head()
    assert head is not None
    store.close()
    signer = FileSigner.load(store.path / "keys" / "sealing.pem")
    root = reseal(collection.path, signer, drop_file)
    collection.path.rename(collection.path.with_name(root))
    (store.path / "catalogue.sqlite").unlink()

    assert verify(store.path, trust).exit_code == 0
    assert verify(store.path, trust, anchor=root).exit_code == 0
    for anchor in (head.root, head.seal):
        found = verify(store.path, trust, anchor)
        assert not found.ok
        assert "sealed anew" in found.problems[0]


def test_the_newest_seal_vouches_for_everything_before_it(store: Store, trust: bytes) -> None:
    collect(store, 1)
    (first, second) = store.collections()
    head = store.head()
    assert head is not None
    store.close()
    signer = FileSigner.load(store.path / "keys" / "sealing.pem")
    root = reseal(first.path, signer, drop_file)
    first.path.rename(first.path.with_name(root))
    (store.path / "catalogue.sqlite").unlink()
    assert "does not continue" in verify(store.path, trust).problems[0]

    new = read_statement(first.path.with_name(root))[0]
    old, manifest_sha256, _ = read_statement(second.path)
    (second.path / "statement.dsse.json").unlink()
    write_statement(
        second.path,
        kind="collection",
        name=second.root,
        root=second.root,
        manifest_sha256=manifest_sha256,
        link=Link(old.link.store, 2, new.root, new.seal),
        sealed_at=NOON,
        signer=signer,
    )
    assert verify(store.path, trust).ok
    assert verify(store.path, trust, anchor=head.root).ok, "a root vouches for its own folder only"
    assert not verify(store.path, trust, anchor=head.seal).ok


def test_an_older_anchor_still_holds_when_the_chain_has_grown(store: Store, trust: bytes) -> None:
    anchor = store.head()
    assert anchor is not None
    collect(store, 1)
    assert verify(store.path, trust, anchor=anchor.seal).ok
    (first, second) = store.collections()
    assert verify(first.path, trust, anchor=first.root).ok
    assert not verify(second.path, trust, anchor=first.root).ok


@pytest.mark.parametrize(("gone", "words"), [(0, "before it is missing"), (1, "1 link(s) missing"), (2, "catalogue")])
def test_a_missing_link_of_the_chain_is_seen(store: Store, trust: bytes, gone: int, words: str) -> None:
    collect(store, 1)
    collect(store, 2)
    shutil.rmtree(store.collections()[gone].path)
    assert any(words in problem for problem in verify(store.path, trust).problems)


def test_a_lost_head_leaves_a_hole_that_later_links_show(store: Store, trust: bytes) -> None:
    lost = collect(store, 1)
    shutil.rmtree(lost.path)
    collect(store, 2)
    store.close()
    (store.path / "catalogue.sqlite").unlink()
    assert any("link(s) missing" in problem for problem in verify(store.path, trust).problems)


def test_a_fork_of_the_chain_is_seen(store: Store, trust: bytes, tmp_path: Path) -> None:
    store.close()
    shutil.copytree(store.path, tmp_path / "branch")
    with Store.open(store.path) as here, Store.open(tmp_path / "branch") as there:
        collect(here, 1)
        other = collect(there, 2)
    shutil.copytree(other.path, store.path / "collections" / other.root)
    assert any("forks at link 2" in problem for problem in verify(store.path, trust).problems)


def test_a_folder_of_another_store_is_seen(store: Store, trust: bytes, tmp_path: Path) -> None:
    with Store.open(tmp_path / "second", create=True) as second:
        collect(second, 1)
        stranger = collect(second, 2)
    shutil.copytree(stranger.path, store.path / "collections" / stranger.root)
    problems = verify(store.path).problems
    assert any("were sealed for store" in problem for problem in problems)


def test_renamed_and_misplaced_folders_are_seen(store: Store, trust: bytes) -> None:
    (collection,) = store.collections()
    path = assess(store, [collection])
    collection.path.rename(collection.path.with_name("0" * 64))
    path.rename(path.with_name("b" * 64))
    problems = verify(store.path, trust).problems
    assert sum("holds the" in problem for problem in problems) == 2


def test_a_collection_dropped_from_an_assessment_is_seen(store: Store, trust: bytes) -> None:
    second = collect(store, 1)
    path = assess(store, store.collections())
    shutil.rmtree(path / "inputs" / "collections" / second.root)
    assert not verify(path, trust).ok


def test_a_copy_of_an_assessment_verifies_by_itself(store: Store, trust: bytes, tmp_path: Path) -> None:
    path = assess(store, store.collections())
    shutil.copytree(path, tmp_path / "package")
    found = verify(tmp_path / "package", trust)
    assert (found.exit_code, found.kind, found.folders) == (0, "assessment", 2)


def test_nothing_sealed_is_never_called_whole(tmp_path: Path, trust: bytes) -> None:
    assert not verify(tmp_path, trust).ok
    assert not verify(tmp_path / "nowhere", trust).ok
    with Store.open(tmp_path / "empty", create=True):
        assert verify(tmp_path / "empty", trust).exit_code == 3


def test_a_trust_file_without_a_key_is_refused(store: Store, trust: bytes) -> None:
    with pytest.raises(SealError, match="no PEM"):
        verify(store.path, b"")
    with pytest.raises(SealError, match="not a PEM"):
        verify(store.path, (store.path / "keys" / "sealing.pem").read_bytes())


def test_an_envelope_is_opened_only_for_its_type_and_signer(tmp_path: Path) -> None:
    signer, other = FileSigner.make(tmp_path / "a.pem"), FileSigner.make(tmp_path / "b.pem")
    envelope = seal_envelope(b'{"a":1}', TYPE, signer)
    assert is_exact(envelope)
    assert open_trusted(envelope, TYPE, signer.public_pem) == b'{"a":1}'
    assert open_envelope(envelope, TYPE).trusted is False
    with pytest.raises(SealError, match="not trusted"):
        open_trusted(envelope, TYPE, other.public_pem)
    with pytest.raises(SealError, match="was signed as"):
        open_trusted(envelope, "application/vnd.in-toto+json", signer.public_pem)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b"[" * 5000,
        b'{"payload":"","payloadType":"t","signatures":[]}',
        b'{"payload":1,"payloadType":"t","signatures":[{"keyid":"a","sig":"b"}]}',
        b'{"payload":"","payloadType":1,"signatures":[{"keyid":"a","sig":""}]}',
        b'{"payload":"","payloadType":"t","signatures":["a"]}',
        b'{"payload":"","payloadType":"application/vnd.ztgrade.test+json","signatures":[{"keyid":"a","sig":"AA=="}]}',
        b'{"payload":"","payloadType":"%b","signatures":[{"keyid":"a","sig":"AA==","public_key":"x"}]}' % TYPE.encode(),
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        open_envelope(data, TYPE)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_another_signer_takes_the_place_of_the_file(tmp_path: Path, key: Any) -> None:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    class Token:
        key_id = key_id(pem)
        public_pem = pem

        def sign(self, message: bytes) -> bytes:
            from cryptography.hazmat.primitives import hashes
            from cryptography.hazmat.primitives.asymmetric import padding

            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key.sign(message, ec.ECDSA(hashes.SHA256()))
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return bytes(key.sign(message, pss, hashes.SHA256()))

    with Store.open(tmp_path / "store", create=True, signer=Token()) as store:
        collect(store)
        assert verify(store.path, pem).exit_code == 0
    with Store.open(tmp_path / "store") as store:
        collect(store, 1)
        assert [each.whole() for each in store.collections()] == store.collections()
    assert (tmp_path / "store" / "keys" / "sealing.pem").exists()


def test_the_key_is_made_once_private_and_never_shown(tmp_path: Path) -> None:
    signer = FileSigner.at(tmp_path / "keys")
    path = tmp_path / "keys" / "sealing.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert FileSigner.at(tmp_path / "keys").key_id == signer.key_id
    assert path.read_text().splitlines()[1] not in repr(signer)
    assert trusted_keys((tmp_path / "keys" / "sealing.pub.pem").read_bytes()) == (signer.public_pem,)
    with pytest.raises(StoreError, match="already"):
        FileSigner.make(path)


def test_a_changed_key_leaves_what_the_old_one_signed_known(store: Store, trust: bytes) -> None:
    (store.path / "keys" / "sealing.pem").unlink()
    collect(store, 1)
    new = (store.path / "keys" / "sealing.pub.pem").read_bytes()
    assert new != trust
    assert [collection.whole().root for collection in store.collections()] == [
        collection.root for collection in store.collections()
    ]
    assert verify(store.path, new).ok is False
    assert verify(store.path, new + trust).exit_code == 0


def test_a_collection_that_a_stranger_signed_is_not_taken_for_whole(store: Store, trust: bytes, tmp_path: Path) -> None:
    (collection,) = store.collections()
    root = reseal(collection.path, FileSigner.make(tmp_path / "forger.pem"), drop_file)
    forged = collection.path.with_name(root)
    collection.path.rename(forged)
    store.close()
    (store.path / "catalogue.sqlite").unlink()
    with Store.open(store.path) as again:
        (found,) = again.collections()
        with pytest.raises(SealError, match="not a trusted one"):
            found.whole()


def test_a_lost_public_half_is_written_again(tmp_path: Path) -> None:
    signer = FileSigner.at(tmp_path)
    (tmp_path / "sealing.pub.pem").unlink()
    (tmp_path / "sealing.pem.new").write_bytes(b"left by a kill")
    assert FileSigner.at(tmp_path).key_id == signer.key_id
    assert (tmp_path / "sealing.pub.pem").read_bytes() == signer.public_pem


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sealing.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreError, match="restore it"):
        FileSigner.at(tmp_path)
