"""Between the store and grading: which collections count, how a result is sealed, and how it is built again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from scanner.column import CLOCK_TOLERANCE, Check
from scanner.errors import SealError, UsageError
from scanner.grading.assess import Graded, Inputs, assessment_digest, grade, read_targets
from scanner.guideline.baseline import parse_baseline
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate, parse_estate
from scanner.institution.register_chain import CHAIN, witness
from scanner.institution.registers import Registers, parse_registers
from scanner.judging.evidence import identifier, quoted
from scanner.judging.judge import Judged, write_findings
from scanner.judging.scope import Membership
from scanner.model import Collector, Fact, iso, utc
from scanner.result.assessment import SCHEMA_VERSION, Assessment
from scanner.sealed.assessment_reader import ResultHead, read_assessment
from scanner.sealed.canonical import canonical_json, canonical_parts
from scanner.sealed.collection import Collection, open_collection
from scanner.sealed.store import Store

RESULT = "assessment.json"
INPUTS = "inputs"
PREVIOUS_CHAIN = "previous-chain.jsonl"
INPUTS_VERSION = 1


class SealedInputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``inputs/inputs.json``: what else a result was built from, besides the files beside it."""

    schema_version: int
    as_of: str
    collections: dict[str, str]
    """Target to the root of the collection that counted."""
    previous: bool


@dataclass(frozen=True)
class Registry:
    """What is installed: collectors, checks and fact types by name."""

    collectors: Mapping[str, Collector]
    checks: Mapping[str, Check[Any]]
    facts: Mapping[str, type[Fact]]


def counting(store: Store, estate: Estate, as_of: datetime) -> dict[str, Collection]:
    """For each target of the estate the newest complete collection that had ended by ``as_of``."""
    latest = utc(as_of) + CLOCK_TOLERANCE
    newest: dict[str, Collection] = {}
    for collection in store.collections():
        meta = collection.meta
        if meta.target not in estate.targets or not meta.complete or utc(meta.finished_at) > latest:
            continue
        held = newest.get(meta.target)
        if held is None or held.meta.finished_at <= meta.finished_at:
            newest[meta.target] = collection
    return newest


def previous_of(store: Store, baseline: Baseline, as_of: datetime) -> Assessment | None:
    """The assessment under the same baseline that was sealed last, if it is not of a later moment."""
    for sealed in reversed(store.assessments()):
        if sealed.baseline == baseline.id:
            found = read_result(sealed.path)
            if datetime.fromisoformat(found.as_of) <= utc(as_of):
                return found
    return None


def chain_sealed_in(path: Path) -> bytes:
    """The chain of the registers that whatever is assessed after this assessment must go on from."""
    folder = path / INPUTS
    places = folder / PREVIOUS_CHAIN, folder / "registers" / CHAIN
    before, held = (place.read_bytes() if place.is_file() else b"" for place in places)
    return witness(before, held)


def inputs_from(
    store: Store,
    estate: Estate,
    baseline: Baseline,
    registers: Registers,
    as_of: datetime,
    registry: Registry,
    *,
    previous: Assessment | None = None,
    previous_chain: bytes = b"",
) -> tuple[Inputs, list[Collection]]:
    """All that a grade depends on, read from the store, and the collections that count, each verified whole."""
    newest = counting(store, estate, as_of)
    for collection in newest.values():
        collection.whole()
    targets = read_targets(estate, registry.collectors, newest)
    return Inputs(estate, baseline, registers, targets, utc(as_of), previous, previous_chain), list(newest.values())


def seal(store: Store, graded: Graded, collections: list[Collection]) -> tuple[Assessment, Path]:
    """Seal a result with everything it was built from; returns it with its place, and that place."""
    inputs = graded.inputs
    files: dict[str, bytes | Path] = {RESULT: _json(graded.assessment)}
    files |= {f"{INPUTS}/estate/{name}": content for name, content in inputs.estate.files.items()}
    files |= {f"{INPUTS}/baseline/{name}": content for name, content in inputs.baseline.files.items()}
    files |= {f"{INPUTS}/registers/{name}": content for name, content in inputs.registers.files.items()}
    if inputs.previous is not None:
        files[f"{INPUTS}/previous.json"] = _json(inputs.previous)
    if inputs.previous_chain:
        files[f"{INPUTS}/{PREVIOUS_CHAIN}"] = inputs.previous_chain
    files[f"{INPUTS}/inputs.json"] = canonical_json(
        msgspec.to_builtins(
            SealedInputs(
                schema_version=INPUTS_VERSION,
                as_of=iso(inputs.as_of),
                collections={target.target: target.root for target in inputs.targets if target.folder is not None},
                previous=inputs.previous is not None,
            )
        )
    )
    with store.writing() as writer, tempfile.TemporaryDirectory(dir=store.path / "tmp") as folder:
        for name, judged in graded.judged.items():
            findings, members = Path(folder) / f"findings-{name}", Path(folder) / f"members-{name}"
            write_findings(judged, str(findings))
            _write_members(graded.membership, judged, members)
            files[f"findings/{name}.parquet"] = findings
            files[f"members/{name}.parquet"] = members
        path = writer.assessment(graded.assessment.assessment, files, collections)
    return msgspec.structs.replace(graded.assessment, path=str(path)), path


def _json(assessment: Assessment) -> bytes:
    """The result as canonical JSON; rows of the longest lists one by one, for there may be thousands."""
    long = {name: getattr(assessment, name) for name in ("grades", "gaps", "registers", "scopes", "regressions")}
    short = {field: getattr(assessment, field) for field in assessment.__struct_fields__ if field not in long}
    return b"".join(canonical_parts({**msgspec.to_builtins(short), "path": ""}, long))


def _write_members(membership: Membership, judged: Judged, path: Path) -> None:
    columns = ", ".join(["roster.asset", *(f"members.{identifier(scope.column)}" for scope in membership.scopes)])
    membership.evidence.connection.execute(
        f"COPY (SELECT {columns} FROM {judged.population.table} AS roster "
        f"JOIN {membership.table(judged.population)} AS members USING (id) ORDER BY roster.id) "
        f"TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def read_result(path: Path) -> Assessment:
    """The result in an assessment folder; raises SealError where it cannot be read."""
    place = path / RESULT
    try:
        content = place.read_bytes()
        _refuse_newer(place, content, SCHEMA_VERSION)
        return read_assessment(content)
    except (OSError, msgspec.DecodeError) as error:
        raise SealError(
            [f"{place}: cannot be read as an assessment: {error}; restore the folder from a copy"]
        ) from error


def read_head(path: Path) -> ResultHead:
    """What an assessment folder was graded from; raises SealError where it cannot be read."""
    place = path / RESULT
    try:
        return msgspec.json.decode(place.read_bytes(), type=ResultHead)
    except (OSError, msgspec.DecodeError) as error:
        raise SealError(
            [f"{place}: cannot be read as an assessment: {error}; restore the folder from a copy"]
        ) from error


class _Versioned(msgspec.Struct):
    schema_version: int


def _refuse_newer(place: Path, content: bytes, known: int) -> None:
    """Raise UsageError for a file that a newer version of ztgrade wrote: reading half of it could mislead."""
    if msgspec.json.decode(content, type=_Versioned).schema_version > known:
        raise UsageError(f"{place}: was written by a newer version of ztgrade; use that one")


def reopen(path: Path, registry: Registry) -> tuple[Inputs, Assessment]:
    """Inputs and result of a sealed assessment, from its folder alone, wherever it was copied to.

    Raises SealError where something is missing, ConfigurationError where a sealed file cannot be read by this version.
    """
    assessment = read_result(path)
    folder = path / INPUTS
    try:
        content = (folder / "inputs.json").read_bytes()
        _refuse_newer(folder / "inputs.json", content, INPUTS_VERSION)
        sealed = msgspec.json.decode(content, type=SealedInputs)
        previous = read_assessment((folder / "previous.json").read_bytes()) if sealed.previous else None
    except (OSError, msgspec.DecodeError) as error:
        raise SealError([f"{folder}: the inputs cannot be read: {error}; restore the folder from a copy"]) from error
    estate = parse_estate(_files(folder / "estate"))
    newest: dict[str, Collection] = {}
    for target, root in sealed.collections.items():
        place = folder / "collections" / root
        if not place.is_dir():
            raise SealError([f"{place}: the collection of {target} is missing; restore the folder from a copy"])
        newest[target] = open_collection(place, root)
    inputs = Inputs(
        estate=estate,
        baseline=parse_baseline(_files(folder / "baseline"), registry.checks),
        registers=parse_registers(_files(folder / "registers")),
        targets=read_targets(estate, registry.collectors, newest),
        as_of=datetime.fromisoformat(sealed.as_of),
        previous=previous,
        previous_chain=(folder / PREVIOUS_CHAIN).read_bytes() if (folder / PREVIOUS_CHAIN).is_file() else b"",
    )
    return inputs, assessment


def _files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@dataclass(frozen=True)
class Regraded:
    """A result built again from a sealed folder, beside the sealed one."""

    sealed: Assessment
    rebuilt: Assessment
    digest: str
    """The digest that came out, computed with the name of the code that sealed."""
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the digest came out again."""
        return self.sealed.assessment == self.digest


def regrade(path: Path, registry: Registry) -> Regraded:
    """Grade again from a sealed folder alone and compare; differences name what differs, code first."""
    inputs, sealed = reopen(path, registry)
    graded = grade(inputs, registry.checks, registry.facts)
    rebuilt = graded.assessment
    digest = assessment_digest(inputs, sealed.code, rebuilt.grades, graded.findings)
    differences = []
    if sealed.code != rebuilt.code:
        differences.append(f"code: sealed by {sealed.code}, graded again by {rebuilt.code}")
    for name in ("as_of", "institution", "baseline", "estate_digest", "registers_digest", "previous", "headline"):
        if getattr(sealed, name) != getattr(rebuilt, name):
            differences.append(f"{name}: sealed {getattr(sealed, name)}, now {getattr(rebuilt, name)}")
    for was, now in zip(sealed.grades, rebuilt.grades, strict=False):
        if was != now:
            differences.append(f"{was.system} / {was.scene.value} / {was.pillar.value}: the grade differs")
    if len(sealed.grades) != len(rebuilt.grades):
        differences.append(f"grades: sealed {len(sealed.grades)}, now {len(rebuilt.grades)}")
    if sealed.assessment != digest and all(line.startswith("code:") for line in differences):
        differences.append("findings: grades agree, single outcomes do not")
    return Regraded(sealed, rebuilt, digest, tuple(differences))


def find_assessment(reference: str, store: Store | None) -> Path:
    """The folder of an assessment: a path, a digest or its first digits, or ``latest``; raises UsageError."""
    place = Path(reference)
    if (place / RESULT).is_file():
        return place
    if store is None:
        raise UsageError(f"{reference!r} is no folder of an assessment; give --store to find one by digest")
    known = store.assessments()
    if reference == "latest" and known:
        return known[-1].path
    matches = [sealed.path for sealed in known if len(reference) >= 6 and sealed.digest.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    reason = "is ambiguous" if matches else "is not among the assessments of the store"
    raise UsageError(f"{reference!r} {reason}; ztgrade lists them with: ztgrade list assessments --store DIR")
