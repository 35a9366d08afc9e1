"""``ztgrade plan`` and ``ztgrade collect``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from scanner.collecting.collect import collect as run
from scanner.collecting.planning import plan as planned
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import (
    EXIT_BLIND,
    estate_option,
    installed,
    moment,
    open_estate,
    open_store,
    quiet_option,
    store_option,
    targets_option,
    tell_unread,
    watch,
)


@click.command()
@estate_option
@targets_option
@json_option
def plan(estate_path: Path, targets: tuple[str, ...], as_json: bool) -> None:
    """Print every host, login, query and call that a scan would make; send nothing."""
    rows = planned(open_estate(estate_path), installed().collectors, targets or None)
    if as_json:
        say_json({"schema_version": 1, "plan": rows})
        return
    last = ""
    for row in rows:
        if row.target != last:
            say(f"{row.target}  ({row.collector}, {row.origin.value}, site {row.site})")
            last = row.target
        say("  " + "  ".join(part for part in (row.host, row.login, row.call) if part))


@click.command()
@estate_option
@store_option
@targets_option
@quiet_option
@json_option
def collect(estate_path: Path, store_path: Path, targets: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Read the targets, each into one sealed collection; exit 4 where a stop file kept one from being read."""
    estate = open_estate(estate_path)
    progress = watch(quiet)
    with open_store(store_path, create=True) as store:
        sealed = run(
            estate,
            store,
            collectors=installed().collectors,
            targets=targets or None,
            clock=lambda: moment(None),
            progress=progress,
        )
    if as_json:
        say_json({"schema_version": 1, "collections": [collection.ref() for collection in sealed]})
    for collection in () if as_json else sealed:
        meta = collection.meta
        state = "complete" if meta.complete else "incomplete"
        say(f"{meta.target}: {sum(meta.facts.values())} facts, {meta.gaps} gaps, {state}, {collection.root}")
    sys.exit(EXIT_BLIND if tell_unread(progress) else 0)
