"""A small institution assessed again and again: what it changes between two assessments, and what is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from scanner.grading.assess import Inputs, grade
from scanner.guideline.baseline import parse_baseline
from scanner.institution.estate import parse_estate
from scanner.institution.register_chain import CHAIN, line_of, missing_links, read_chain
from scanner.institution.registers import ENTRY_TYPE, Registers, entry_payload, parse_registers
from scanner.judging.evidence import ReadTarget
from scanner.model import Fact, Gap, GapWhy, promised_facts
from scanner.result.assessment import Assessment
from scanner.result.change import Regression, RequirementChange
from scanner.sealed.signature import FileSigner, seal_envelope
from tests.scanner.guideline.test_baseline import MAIN, both
from tests.scanner.miniature import VOCABULARY, Said, mfa, sign_in, user

START = datetime(2026, 11, 1, tzinfo=UTC)

ITEM = f"""[items."1-1"]
pillar = "identity"
level = "I"
provenance = "OWN"
matrix.listed = {{ iaas = true, paas = true, saas = false }}
{both("function", "title", "says", "fix")}
[[items."1-1".requires]]
slug = "@slug@"
check = "{mfa.id}"
need = @need@
max_age = "@max_age@"
modes = [@modes@]
{both("says", "fix")}
[[items."1-1".requires]]
slug = "written-rule"
attestation = true
{both("says", "fix", "asks")}
"""

RULE = {"slug": "mfa-enforced", "need": "1.0", "max_age": "7d", "modes": '"enforced"'}
"""What stands in the places of the item unless said otherwise."""

ESTATE = """schema_version = 1
[institution]
id = "mini"
name.zh-TW = "小"
name.en = "Mini"
@targets@
@systems@
[approvers.chang]
name = "張三"
public_key = "chang.pem"
"""

TARGET = """[targets.{name}]
collector = "import"
captures = "captures/{name}"
promises = ["User", "SignIn"]
"""

SYSTEM = """[systems.{name}]
title.zh-TW = "系統"
title.en = "System"
scenes = ["{scene}"]
service_model = "{model}"
target = "{target}"
[[systems.{name}.members.User]]
{members}
"""


def people(*enforced: str, without: Sequence[str] = (), at: datetime = START) -> list[Fact]:
    """Enabled people, with and without a second factor."""
    rows: list[Fact] = []
    for names, mode in ((enforced, "enforced"), (without, "not_required")):
        for name in names:
            rows += [user(name, observed_at=at), sign_in(name, observed_at=at, mfa=mode)]
    return rows


@dataclass
class Bank:
    """What the institution is at one moment; ``assess`` compares it with what it was last."""

    folder: Path
    said: dict[str, list[Fact] | None] = field(default_factory=dict)
    """What each target says; None where it cannot be reached."""
    systems: dict[str, str] = field(default_factory=lambda: {"core": "all = true"})
    target: str = "I"
    scene: str = "remote_work"
    model: str = "iaas"
    rule: dict[str, str] = field(default_factory=dict)
    wording: str = ""
    registers: str = ""
    signed: bool = True
    moment: datetime = START
    last: Assessment | None = None
    chain: bytes = b""
    _reads: int = 0

    def __post_init__(self) -> None:
        self.signer = FileSigner.make(self.folder / "keys/chang.pem")

    def inputs(self) -> Inputs:
        """Everything as it is now; each target is read anew."""
        self._reads += 1
        estate = ESTATE.replace("@targets@", "".join(TARGET.format(name=name) for name in self.said))
        systems = (
            SYSTEM.format(name=name, target=self.target, scene=self.scene, model=self.model, members=rows)
            for name, rows in self.systems.items()
        )
        rule = ITEM
        for name, value in (RULE | self.rule).items():
            rule = rule.replace(f"@{name}@", value)
        files = {"baseline.toml": MAIN.encode(), "identity.toml": (rule + self.wording).encode()}
        estate = estate.replace("@systems@", "".join(systems))
        return Inputs(
            estate=parse_estate({"estate.toml": estate.encode(), "chang.pem": self.signer.public_pem}),
            baseline=parse_baseline(files, {mfa.id: mfa}),
            registers=self._registers(),
            targets=tuple(self._read(name, rows) for name, rows in self.said.items()),
            as_of=self.moment,
            previous=self.last,
            previous_chain=self.chain,
        )

    def _read(self, name: str, rows: list[Fact] | None) -> ReadTarget:
        folder = self.folder / f"{name}-{self._reads}"
        promised = ("User", "SignIn")
        if rows is None:
            gaps = [Gap(fact=fact, why=GapWhy.UNREACHABLE, detail="no answer") for fact in promised]
            read = Said([], promised, open=promised_facts(promised)).read(name, folder)
            return replace(read, root=hashlib.sha256(str(folder).encode()).hexdigest(), gaps=gaps)
        read = Said(rows, promised).read(name, folder)
        return replace(read, root=hashlib.sha256(str(folder).encode()).hexdigest(), collected_at="2026-11-01T00:00:00Z")

    def _registers(self) -> Registers:
        files = {"documents.toml": self.registers.encode()} if self.registers else {}
        entries = parse_registers(files).entries
        if self.signed:
            for entry in entries:
                payload = entry_payload(entry, "mini", "small")
                files[entry.signature] = seal_envelope(payload, ENTRY_TYPE, self.signer)
        chain = read_chain(self.chain)
        lines = [*chain.lines, *map(line_of, missing_links(chain, entries, files, self.moment))]
        if lines:
            files[CHAIN] = b"".join(line + b"\n" for line in lines)
        return parse_registers(files)

    def assess(self, **changes: object) -> Assessment:
        """Change something, let a day pass, and assess."""
        for name, value in changes.items():
            if name not in self.__dataclass_fields__:
                raise TypeError(name)
            setattr(self, name, value)
        inputs = self.inputs()
        self.chain = inputs.registers.files.get(CHAIN, b"")
        result = grade(inputs, {mfa.id: mfa}, VOCABULARY).assessment
        self.last = msgspec.json.decode(msgspec.json.encode(result), type=Assessment)
        self.moment += timedelta(days=1)
        return result


def attestation(id_: str = "AT-1", *, expires: str = "2027-10-01", answer: str = "yes") -> str:
    """An entry about the written rule of the core system."""
    return f"""[[attestation]]
id = "{id_}"
requirement = "1-1/written-rule"
answer = "{answer}"
system = "core"
owner = "wang"
approver = "chang"
statement = "There is a rule."
made_at = 2026-10-01
expires_at = {expires}
document = {{ name = "rule.pdf", sha256 = "{"a" * 64}" }}
"""


def told(assessment: Assessment) -> list[str]:
    """Every difference in a line."""
    changes = assessment.changes
    assert changes is not None
    return [
        *(line(row) for row in assessment.regressions),
        *(line(row) for row in changes.requirements),
        *(
            f"{row.cause} {row.kind} {row.subject} {row.what} {row.was} {row.now}".strip().replace("  ", " ")
            for row in changes.inputs
        ),
    ]


def line(row: RequirementChange | Regression) -> str:
    """One requirement that stands otherwise."""
    causes = " ".join(["+".join(row.causes), *(f"?{cause}" for cause in row.not_recorded)]).strip()
    proved = f" proved {row.last_proved[:10]}" if row.last_proved else ""
    lost = f" lost {', '.join(row.lost)}" if isinstance(row, Regression) and row.lost else ""
    address = f"{row.system} {row.item}/{row.requirement}"
    return f"{row.turn}: {address} {row.was} -> {row.now} by {causes or 'nothing'}{proved}{lost}"


def states(assessment: Assessment) -> Mapping[str, str]:
    """State by requirement of the core system."""

    def found() -> Iterator[tuple[str, str]]:
        for row in assessment.grades:
            for item in row.items if row.system == "core" else ():
                yield from ((requirement.id, requirement.state.value) for requirement in item.requirements)

    return dict(found())
