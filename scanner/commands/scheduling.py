"""``ztgrade schedule``: units for a scheduler that is there already."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from scanner.collecting.redaction import printable
from scanner.commands.session import baseline_option, estate_option, open_baseline, open_estate, store_option
from scanner.errors import UsageError
from scanner.guideline.baseline import plugin_baselines, shipped_baselines
from scanner.institution.schedule import CREDENTIAL_STORE, Schedule, running_command, service_unit, timer_unit

FOLDER = "/etc/systemd/system"


@click.group()
def schedule() -> None:
    """Scan by the calendar, through what runs by the calendar on this host already."""


@schedule.command()
@estate_option
@store_option
@baseline_option
@click.option("--on-calendar", required=True, metavar="SPEC", help='When, as systemd.time(7) has it: "*-*-* 02:30".')
@click.option("--user", default="ztgrade", show_default=True, help="Who scans: owns the store, may read the estate.")
@click.option("--delay", default="15min", show_default=True, help="Longest random delay after that time.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    default=CREDENTIAL_STORE,
    show_default=True,
    help="Folder of the files behind the systemd: references of the estate.",
)
@click.option("--unit", type=click.Choice(["both", "service", "timer"]), default="both", show_default=True)
def systemd(
    estate_path: Path,
    store_path: Path,
    baseline_id: str,
    on_calendar: str,
    user: str,
    delay: str,
    credentials: Path,
    unit: str,
) -> None:
    """Print a hardened service and a timer that scan the estate; write nothing, start nothing.

    Every systemd: reference of the estate becomes a LoadCredential= line, so that no secret lies in a unit.
    """
    _understood("calendar", on_calendar)
    _understood("timespan", delay)
    wanted = Schedule(
        command=running_command(sys.argv[0], sys.executable),
        estate=open_estate(estate_path),
        estate_path=estate_path.resolve(),
        store=store_path.resolve(),
        on_calendar=on_calendar,
        user=user,
        baseline=_baseline(baseline_id),
        credentials=credentials.resolve(),
        delay=delay,
    )
    units = {"service": service_unit(wanted), "timer": timer_unit(wanted)}
    for kind, text in units.items():
        if unit == "both":
            click.echo(f"# {FOLDER}/ztgrade.{kind}")
        if unit in {"both", kind}:
            click.echo(text)


def _baseline(name: str) -> str:
    """The baseline as a service finds it, whatever folder it starts in; raises where there is none or it is wrong."""
    open_baseline(name)
    return name if name in {*shipped_baselines(), *plugin_baselines()} else str(Path(name).resolve())


def _understood(kind: str, text: str) -> None:
    """Raise UsageError where systemd does not understand a time; where there is no systemd, nothing is said."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    try:
        asked = subprocess.run(
            [program, kind, "--", text], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return
    if asked.returncode != 0:
        raise UsageError(f"systemd does not understand {printable(text)!r} as a {kind}; see systemd.time(7)")
