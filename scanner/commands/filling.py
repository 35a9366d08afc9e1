"""``ztgrade report --template``: fills a form of others, and prints the names that it may use."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from scanner.collecting.redaction import printable
from scanner.commands.printing import say, say_json
from scanner.errors import ConfigurationError, Problem, UsageError
from scanner.result.dossier import Dossier
from scanner.sealed.disk import write_whole


def fill_form(told: Dossier, template: Path, output: Path | None, language: str, *, allow_missing: bool) -> Path:
    """Write a form with its cells filled; raises ConfigurationError, and writes nothing, where a name cannot be.

    ``allow_missing`` tells such names and fills the others.
    """
    from reports import as_form
    from reports.form_names import vocabulary

    place = output or Path(f"{template.stem}-filled.xlsx")
    if place.suffix.lower() != ".xlsx":
        raise UsageError(f"--output {place}: a filled form is a workbook; name it .xlsx")
    if place.exists() and template.exists() and place.samefile(template):
        raise UsageError(f"--output {place} is the form itself, which would be overwritten")
    try:
        filled = as_form.fill(_content(template), told, vocabulary(told, language))
    except ImportError as error:
        raise UsageError("workbooks need the extra ztgrade[xlsx]: pip install 'ztgrade[xlsx]'") from error
    except ValueError as error:
        raise ConfigurationError([Problem(str(template), None, "", str(error))]) from error
    if not filled.content:
        hint = "ztgrade report ASSESSMENT --template-names prints the names that a form may use"
        raise ConfigurationError([Problem(str(template), None, "", "no cell in it bears a name of ours", hint)])
    problems = [
        Problem(str(template), None, printable(each.place), printable(f"{each.name}: {each.why}"), each.hint)
        for each in filled.unfilled
    ]
    if problems and not allow_missing:
        advice = "nothing was written; mend the form, or fill the other names with --allow-missing"
        raise ConfigurationError([*problems, Problem(str(template), None, "", advice)])
    write_whole(place, filled.content)
    for problem in problems:
        click.echo(f"ztgrade: not filled: {problem}", err=True)
    for lost in filled.lost:
        click.echo(f"ztgrade: note: lost from the form: {printable(lost)}", err=True)
    click.echo(f"filled {len(filled.filled)} cells", err=True)
    return place


def say_names(told: Dossier, language: str, *, as_json: bool) -> None:
    """Print every name that a form may use, with its present value."""
    from reports.form_names import vocabulary

    known = vocabulary(told, language)
    plain = {name: _plain(value) for name, value in known.values.items()}
    if as_json:
        rows = {name: sorted(parts) for name, parts in known.families.items()}
        say_json({"schema_version": 1, "names": plain, "numbered": rows})
        return
    for name, value in plain.items():
        say(f"{name} = {'' if value is None else value}")


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _content(template: Path) -> bytes:
    from reports.form_workbook import LARGEST

    try:
        with template.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"--template {template}: {error.strerror or error}") from error
