"""``ztgrade assess``, ``ztgrade scan`` and ``ztgrade regrade``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import click

from scanner.collecting.collect import collect
from scanner.collecting.progress import Progress
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import (
    EXIT_BLIND,
    as_of_option,
    baseline_option,
    engine_on,
    estate_option,
    exit_code,
    fail_on_option,
    installed,
    locate,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    open_store,
    quiet_option,
    store_option,
    summary,
    targets_option,
    tell_unread,
    watch,
    whole,
)
from scanner.grading.assess import Graded, grade
from scanner.institution.estate import Estate
from scanner.result.assessment import Assessment
from scanner.sealed.archive import chain_sealed_in, inputs_from, previous_of, seal
from scanner.sealed.archive import regrade as run_again
from scanner.sealed.seal import KINDS
from scanner.sealed.store import Store

beside_option = click.option(
    "--beside",
    default="fsc-2024-strict",
    show_default=True,
    help="A second baseline, graded on the same evidence and shown beside; 'none' for none.",
)


def assess_store(store: Store, estate: Estate, baseline_id: str, as_of: datetime) -> Graded:
    """Grade what the store holds and seal it."""
    baseline = open_baseline(baseline_id)
    registers = open_registers(estate, baseline)
    previous = previous_of(store, baseline, as_of)
    chain = b""
    if previous is not None:
        sealed = store.path / KINDS["assessment"] / previous.assessment
        whole(sealed, store.trust())
        chain = chain_sealed_in(sealed)
    inputs, collections = inputs_from(
        store, estate, baseline, registers, as_of, installed(), previous=previous, previous_chain=chain
    )
    with engine_on(store.path):
        graded = grade(inputs, installed().checks, installed().facts)
        graded.assessment, _ = seal(store, graded, collections)
    return graded


def assess_both(store: Store, estate: Estate, baseline_id: str, beside: str, as_of: datetime) -> Graded:
    """Grade under the baseline and, on the same evidence, under the one shown beside it."""
    if beside not in {"none", baseline_id} and open_baseline(beside).extends == baseline_id:
        assess_store(store, estate, beside, as_of)
    return assess_store(store, estate, baseline_id, as_of)


def scan_store(
    store: Store,
    estate: Estate,
    *,
    baseline_id: str,
    beside: str,
    clock: Callable[[], datetime],
    as_of: Callable[[], datetime],
    targets: Sequence[str] | None,
    progress: Progress,
) -> Graded:
    """Collect, then assess at the moment that ``as_of`` gives when collecting has ended."""
    collect(estate, store, collectors=installed().collectors, targets=targets, clock=clock, progress=progress)
    return assess_both(store, estate, baseline_id, beside, as_of())


def _print(assessment: Assessment, as_json: bool) -> None:
    if as_json:
        say_json(assessment)
    else:
        summary(assessment)


@click.command()
@estate_option
@store_option
@baseline_option
@beside_option
@as_of_option
@fail_on_option
@json_option
def assess(
    estate_path: Path,
    store_path: Path,
    baseline_id: str,
    beside: str,
    as_of: str | None,
    fail_on: tuple[str, ...],
    as_json: bool,
) -> None:
    """Grade what the store holds, without reading any source, and seal the result."""
    estate = open_estate(estate_path)
    with open_store(store_path) as store:
        graded = assess_both(store, estate, baseline_id, beside, moment(as_of))
    _print(graded.assessment, as_json)
    sys.exit(exit_code(graded.assessment, graded.inputs.previous, fail_on))


@click.command()
@estate_option
@store_option
@targets_option
@baseline_option
@beside_option
@fail_on_option
@quiet_option
@json_option
def scan(
    estate_path: Path,
    store_path: Path,
    targets: tuple[str, ...],
    baseline_id: str,
    beside: str,
    fail_on: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Collect, then assess; exit 4 at least where a stop file kept a target from being read."""
    estate = open_estate(estate_path)
    progress = watch(quiet)
    open_registers(estate, open_baseline(baseline_id))
    with open_store(store_path, create=True) as store:
        graded = scan_store(
            store,
            estate,
            baseline_id=baseline_id,
            beside=beside,
            clock=lambda: moment(None),
            as_of=lambda: moment(None),
            targets=targets or None,
            progress=progress,
        )
    _print(graded.assessment, as_json)
    unread = tell_unread(progress)
    sys.exit(exit_code(graded.assessment, graded.inputs.previous, fail_on) or (EXIT_BLIND if unread else 0))


@click.command()
@click.argument("assessment")
@store_option
@json_option
def regrade(assessment: str, store_path: Path, as_json: bool) -> None:
    """Grade again from a sealed folder alone, wherever it was copied to; exit 0 if the digest comes out again, else 3.

    Needs neither network nor secrets nor the store that made it.
    """
    found = run_again(locate(assessment, store_path), installed())
    if as_json:
        row = {
            "schema_version": 1,
            "same": found.same,
            "sealed": found.sealed.assessment,
            "rebuilt": found.digest,
            "differences": list(found.differences),
        }
        say_json(row)
    else:
        say(f"sealed   {found.sealed.assessment}")
        say(f"rebuilt  {found.digest}")
        for difference in found.differences:
            say(f"differs: {difference}")
        say("the same result" if found.same else "not the same result")
    sys.exit(0 if found.same else 3)
