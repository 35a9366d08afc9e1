"""What commands share: options, the registry, the store, and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import duckdb

from scanner import registry
from scanner.collecting.progress import ReadState, Silent, progress_on
from scanner.collecting.redaction import printable
from scanner.commands.printing import LINE_LIMIT, say
from scanner.errors import EngineError, SealError, UsageError
from scanner.grading.grade import DOCUMENTS
from scanner.guideline.baseline import load_baseline
from scanner.guideline.nouns import Baseline
from scanner.institution.costs import unknown_costs
from scanner.institution.estate import Estate, load_estate
from scanner.institution.registers import Registers, load_registers
from scanner.institution.toml_source import raise_problems
from scanner.model import FailOn, utc
from scanner.result.assessment import Assessment
from scanner.result.collection import GapRow
from scanner.sealed.archive import RESULT, Registry, find_assessment
from scanner.sealed.disk import disk_full, is_full, translated
from scanner.sealed.seal import STORE_FILE, verify
from scanner.sealed.store import Store

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
EARLIEST, LATEST = 2000, 3000
"""Years that an assessment may be of."""
EXIT_CRASHED, EXIT_BELOW, EXIT_BLIND = 1, 3, 4

estate_option = click.option(
    "--estate",
    "estate_path",
    envvar="ZTGRADE_ESTATE",
    type=click.Path(path_type=Path),
    default=Path("estate.toml"),
    show_default=True,
    help="The institution's file.",
)
store_option = click.option(
    "--store",
    "store_path",
    envvar="ZTGRADE_STORE",
    type=click.Path(path_type=Path),
    default=Path("store"),
    show_default=True,
    help="Folder of sealed collections and assessments.",
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress on stderr.")
baseline_option = click.option(
    "--baseline", "baseline_id", default="fsc-2024", show_default=True, help="Id of a baseline, or a folder."
)
targets_option = click.option("--only", "targets", multiple=True, metavar="TARGET", help="Read only these targets.")
as_of_option = click.option(
    "--as-of", "as_of", metavar="TIME", help="Moment to assess at, RFC 3339 with its zone; now if not given."
)
fail_on_option = click.option(
    "--fail-on",
    "fail_on",
    type=click.Choice([choice.value for choice in FailOn]),
    multiple=True,
    default=(FailOn.REGRESSION.value, FailOn.NEW_GAP.value),
    show_default=True,
    help="Results that make the exit code 3 (below-target, regression) or 4 (new-gap).",
)


def installed() -> Registry:
    """Everything the registries find."""
    return Registry(registry.collectors(), registry.checks(), registry.facts())


def open_estate(path: Path) -> Estate:
    """Read the estate; its collectors must be installed."""
    return load_estate(path, frozenset(registry.collectors()))


def open_baseline(name: str) -> Baseline:
    """Read a baseline and prove it against the installed checks."""
    return load_baseline(name, registry.checks())


def open_registers(estate: Estate, baseline: Baseline) -> Registers:
    """Read the registers; every entry, and every cost that the estate states, must address what exists."""
    known = frozenset(requirement.address for requirement in baseline.requirements())
    raise_problems(unknown_costs(str(estate.path), estate.costs, known))
    return load_registers(estate.registers, known, {name: system.scenes for name, system in estate.systems.items()})


def moment(text: str | None) -> datetime:
    """A moment from RFC 3339 text, now where there is none; raises UsageError for a time without its zone."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = utc(datetime.fromisoformat(text))
        if not EARLIEST <= found.year < LATEST:
            raise ValueError(f"it lies outside the years {EARLIEST} to {LATEST}")
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--as-of {text!r}: {error}; write it like 2026-11-01T00:00:00Z") from error
    return found


def watch(quiet: bool) -> Silent:
    """Progress on stderr; keeps what became of each target."""
    return progress_on(sys.stderr, os.environ, quiet=quiet)


def tell_unread(progress: Silent) -> bool:
    """Name on stderr the targets that a stopped run did not read to their end; whether there were any."""
    unread = [each for each in progress.summaries if each.state in {ReadState.STOPPED, ReadState.NOT_STARTED}]
    for each in unread:
        click.echo(printable(f"ztgrade: not read: {each.line}", LINE_LIMIT), err=True)
    return bool(unread)


def exit_code(assessment: Assessment, previous: Assessment | None, fail_on: Sequence[str]) -> int:
    """1 for a crashed use, else 3 for below target or a regression, else 4 for gaps the previous one did not have."""
    wanted = {FailOn(choice) for choice in fail_on} - {FailOn.NEVER}
    if assessment.errors:
        return EXIT_CRASHED
    below = any(grade.floor.rank < grade.target.rank for grade in assessment.grades)
    if (FailOn.BELOW_TARGET in wanted and below) or (FailOn.REGRESSION in wanted and assessment.regressions):
        return EXIT_BELOW
    known = {_gap_name(gap) for gap in previous.gaps} if previous is not None else set()
    if FailOn.NEW_GAP in wanted and any(_gap_name(gap) not in known for gap in assessment.gaps):
        return EXIT_BLIND
    return 0


def _gap_name(gap: GapRow) -> tuple[str, str, str | None, str | None, str]:
    return gap.target, gap.fact, gap.field, gap.asset, gap.why.value


def summary(assessment: Assessment) -> None:
    """The result in a few lines for people."""
    head = assessment.headline
    say(f"{assessment.institution}  as of {assessment.as_of}  {assessment.baseline.id} {assessment.baseline.version}")
    say(
        f"level {head.without_exceptions.floor.value} proven, {head.without_exceptions.ceiling.value} possible"
        f" (with exceptions {head.with_exceptions.floor.value}, {head.with_exceptions.ceiling.value})"
    )
    cells: dict[tuple[str, str], list[str]] = {}
    for grade in assessment.grades:
        told = f"{grade.pillar.value} {grade.floor.value}..{grade.ceiling.value}"
        cells.setdefault((grade.system, grade.scene.value), []).append(told)
    for scope, pillars in sorted(cells.items()):
        say(f"  {scope[0]} / {scope[1]}: {'  '.join(pillars)}")
    documents = sum(
        requirement.kind in DOCUMENTS and requirement.state.value != "met"
        for grade in assessment.grades
        for item in grade.items
        for requirement in item.requirements
    )
    say(f"{len(assessment.gaps)} gaps, {documents} documents missing, {len(assessment.regressions)} regressions")
    for error in assessment.errors:
        click.echo(printable(f"crashed: {error}"), err=True)
    say(f"sealed in {assessment.path}")


@contextmanager
def engine_on(path: Path) -> Iterator[None]:
    """Raise StoreError where the disk under ``path`` is full, EngineError for whatever else stops the engine."""
    with translated(path):
        try:
            yield
        except duckdb.Error as error:
            if is_full(str(error)):
                raise disk_full(path) from error
            raise EngineError(f"the engine failed: {error}; check memory and disk, then run it again") from error


def locate(reference: str, store_path: Path) -> Path:
    """The folder of an assessment, by path, digest or ``latest``, verified whole; raises SealError where it is not.

    In a store it must be signed by a key of that store.
    """
    if (Path(reference) / RESULT).is_file():
        path = Path(reference).resolve()
        home = path.parent.parent
        trust = _trust_of(home) if (home / STORE_FILE).is_file() else None
    elif (store_path / STORE_FILE).is_file():
        with open_store(store_path) as store:
            path, trust = find_assessment(reference, store).resolve(), store.trust()
    else:
        raise UsageError(
            f"{reference!r} is no folder of an assessment, and {store_path} is no store; name either, or scan first"
        )
    whole(path, trust)
    return path


def _trust_of(store_path: Path) -> bytes | None:
    with open_store(store_path) as store:
        return store.trust()


def whole(path: Path, trust: bytes | None = None) -> None:
    """Raise SealError with everything that is wrong with a sealed folder."""
    found = verify(path, trust)
    if not found.ok:
        raise SealError(found.problems)


def open_store(path: Path, *, create: bool = False, now: Callable[[], datetime] | None = None) -> Store:
    """Open the store; ``now`` is the clock of its seals."""
    return Store.open(path, create=create) if now is None else Store.open(path, create=create, now=now)
