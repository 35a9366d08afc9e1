"""``ztgrade init`` and ``ztgrade demo``: a newcomer's first two commands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from scanner.commands.assessing import scan_store
from scanner.commands.explaining import write_report
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import moment, open_estate, open_store, quiet_option, summary, watch
from scanner.demo.bank import write as write_bank
from scanner.demo.description import read_description
from scanner.errors import UsageError
from scanner.institution.estate import Estate
from scanner.institution.estate_template import write_initial
from scanner.result.assessment import Assessment

LANGUAGES = ("zh-TW", "en")
MARK = ".ztgrade-demo"
"""Marks a folder that the demo made, so that it may make it anew."""


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
def init(directory: Path) -> None:
    """Write a commented estate.toml that grades this host, to start from."""
    for path in write_initial(directory):
        say(f"wrote {path}")
    say("next: ztgrade plan, then ztgrade scan, then ztgrade report latest --output report.html")


@click.command()
@click.option("--bank", "bank_only", is_flag=True, help="Only the lab bank, not this host.")
@click.option("--raw", is_flag=True, help="Its directories as LDIF and its cloud accounts as answers of AWS.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True, help="Folder to write to."
)
@quiet_option
@json_option
def demo(bank_only: bool, raw: bool, output: Path, quiet: bool, as_json: bool) -> None:
    """Grade the synthetic lab bank, then this host, and write both reports.

    Needs neither root nor a network; reads nothing but this host.
    """
    _fresh(output)
    bank = _bank(output, raw, quiet or as_json)
    if as_json and bank_only:
        say_json(bank)
        sys.exit(1 if bank.errors else 0)
    summary(bank)
    host = None if bank_only else _host(output, quiet)
    if host is not None:
        summary(host)
    for place in sorted(output.glob("*.html")):
        say(f"report: {place}")
    if host is not None:
        say("next: ztgrade init, then edit estate.toml, then ztgrade scan")
    sys.exit(1 if bank.errors or (host is not None and host.errors) else 0)


def _fresh(output: Path) -> None:
    if output.exists() and any(output.iterdir()) and not (output / MARK).is_file():
        raise UsageError(f"{output}: is not a folder that the demo made; name another with --output")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    (output / MARK).write_text("made by ztgrade demo; it makes this folder anew at each run\n", encoding="utf-8")


def _bank(output: Path, raw: bool, quiet: bool) -> Assessment:
    as_of = moment(read_description().as_of)
    estate = open_estate(write_bank(output / "lab-bank", raw=raw))
    return _scanned(output / "lab-bank", estate, lambda: as_of - timedelta(minutes=1), lambda: as_of, quiet)


def _host(output: Path, quiet: bool) -> Assessment:
    write_initial(output / "this-host")
    estate = open_estate(output / "this-host" / "estate.toml")
    return _scanned(output / "this-host", estate, lambda: datetime.now(UTC), lambda: moment(None), quiet)


def _scanned(
    place: Path, estate: Estate, clock: Callable[[], datetime], as_of: Callable[[], datetime], quiet: bool
) -> Assessment:
    """Scan into a store beside the place and write the reports that bear its name, the strict reading in them."""
    with open_store(place.with_name(f"{place.name}-store"), create=True) as store:
        graded = scan_store(
            store,
            estate,
            baseline_id="fsc-2024",
            beside="fsc-2024-strict",
            clock=clock,
            as_of=as_of,
            targets=None,
            progress=watch(quiet),
        )
    write_report(graded, place, "html", LANGUAGES)
    return graded.assessment
