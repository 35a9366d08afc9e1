"""A small institution on disk and a way to speak to it: through the command line, in this process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from scanner.cli import cli
from scanner.collecting.redaction import printable
from scanner.demo.bank import CENSUS_TYPE
from scanner.demo.keys import SUPPLIER, demo_signer
from scanner.errors import ZtgradeError
from scanner.model import keys_digest
from scanner.sealed.signature import seal_envelope

Row = dict[str, Any]
APPROVER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"approver of the small institution").digest())
ESTATE = """schema_version = 1
[institution]
id = "small"
name.zh-TW = "小機構"
name.en = "Small"
[targets.ad]
collector = "import"
captures = "captures/ad"
promises = ["User", "SignIn"]
options.supplier_key = "keys/supplier.pem"
[systems.core]
title.zh-TW = "核心"
title.en = "Core"
scenes = ["remote_work"]
service_model = "on_premises"
target = "I"
[[systems.core.members.User]]
all = true
[approvers.chang]
name = "張三"
public_key = "keys/chang.pem"
[registers]
directory = "registers"
"""


def ztgrade(*arguments: object, **given: Any) -> Result:
    """Run a command in this process, errors told as the entry point tells them; stdout and stderr stay apart."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], **given)
    if isinstance(result.exception, ZtgradeError):
        lines = [f"ztgrade: {printable(line)}\n" for line in str(result.exception).splitlines()]
        result.stderr_bytes = (result.stderr_bytes or b"") + "".join(lines).encode("utf-8", "replace")
        result.exit_code = result.exception.exit_code
        return result
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def now() -> datetime:
    """The time that a scan would take."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """RFC 3339 with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def user(key: str, **fields: Any) -> Row:
    """An enabled person's account."""
    return {
        "fact": "User",
        "asset": f"user:ad:{key}",
        "enabled": True,
        "category": "person",
        "external": False,
    } | fields


def sign_in(key: str, **fields: Any) -> Row:
    """A sign-in that satisfies what it must."""
    return {"fact": "SignIn", "asset": f"user:ad:{key}", "mfa": "enforced", "excluded": False} | fields


@dataclass
class Institution:
    """An estate with one system ``core`` and whatever its targets supply; ``store`` need not exist yet."""

    folder: Path
    estate_text: str = ESTATE
    store: Path = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.folder / "store"
        for name in ("keys", "registers", "captures"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "keys/supplier.pem").write_bytes(demo_signer(SUPPLIER).public_pem)
        public = APPROVER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "keys/chang.pem").write_bytes(public)
        self.approver_key.write_bytes(APPROVER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.approver_key.chmod(0o600)
        self.write_estate()

    @property
    def approver_key(self) -> Path:
        """Private key of the approver ``chang``."""
        return self.folder / "chang-private.pem"

    @property
    def estate(self) -> Path:
        """Its estate file."""
        return self.folder / "estate.toml"

    def write_estate(self, extra: str = "") -> None:
        """Write the estate file, with more tables behind it."""
        self.estate.write_text(self.estate_text + extra, encoding="utf-8")

    def supply(self, rows: Iterable[Row], *, target: str = "ad", facts: Sequence[str] = ("User", "SignIn")) -> Path:
        """Write what a target supplies, an hour old, and sign that it is all; gaps are rows too."""
        hour_ago = stamp(now() - timedelta(hours=1))
        lines = [row if "gap" in row else {"observed_at": hour_ago} | row for row in rows]
        return self.supply_bytes("".join(json.dumps(line) + "\n" for line in lines).encode(), target, facts, lines)

    def supply_bytes(
        self, content: bytes, target: str = "ad", facts: Sequence[str] = (), rows: Sequence[Row] = ()
    ) -> Path:
        """Write these bytes as the file of a target, signed for the keys of the rows."""
        folder = self.folder / "captures" / target
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{target}.ndjson"
        place.write_bytes(content)
        censuses = []
        for fact in facts:
            keys = sorted({row["asset"] for row in rows if row.get("fact") == fact})
            censuses.append({"fact": fact, "query": "all", "n": len(keys), "digest": keys_digest(keys), "keys": keys})
        statement = {
            "schema_version": 1,
            "supplied_by": "directory team",
            "population_source": "directory",
            "period": {"from": "2026-01-01", "to": "2026-12-31"},
            "as_of": stamp(now() - timedelta(hours=1)),
            "censuses": censuses,
            "rows": sum(1 for line in content.split(b"\n") if line.strip()),
            "file_sha256": hashlib.sha256(content).hexdigest(),
        }
        envelope = seal_envelope(json.dumps(statement).encode(), CENSUS_TYPE, demo_signer(SUPPLIER))
        place.with_name(place.name + ".census.dsse.json").write_bytes(envelope)
        return place

    def run(self, command: str, *arguments: object) -> Result:
        """Run a command on this estate and store, at present without the second baseline."""
        options: list[object] = []
        if command in {"plan", "collect", "assess", "scan"}:
            options += ["--estate", self.estate]
        if command != "plan":
            options += ["--store", self.store]
        if command in {"assess", "scan"}:
            options += ["--beside", "none"]
        return ztgrade(command, *arguments, *options)

    def scan(self, *arguments: object) -> Mapping[str, Any]:
        """Collect and assess; the result as printed."""
        result: Mapping[str, Any] = parsed(self.run("scan", "--json", "--quiet", *arguments))
        return result


def parsed(result: Result) -> Any:
    """JSON on stdout and nothing else."""
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def requirement(assessment: Mapping[str, Any], item: str, slug: str) -> Mapping[str, Any]:
    """The result of one requirement in the first scope that has the item."""
    for grade in assessment["grades"]:
        for each in grade["items"]:
            if each["id"] == item:
                return next(found for found in each["requirements"] if found["id"] == slug)
    raise KeyError(item)
