"""``report --template``: forms are filled or refused whole, and every name can be printed."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl

from tests.reports.form_sample import form
from tests.scanner.commands.stage import Institution

NAMES = {"ztgrade.institution": "Survey!$B$1", "ztgrade.level.core.remote_work.identity.floor": "Survey!$B$3"}


def written(folder: Path, content: bytes, name: str = "form.xlsx") -> Path:
    place = folder / name
    place.write_bytes(content)
    return place


def test_a_form_is_filled_beside_the_original(scanned: Institution, tmp_path: Path) -> None:
    content = form(NAMES)
    template, output = written(tmp_path, content), tmp_path / "filled.xlsx"
    result = scanned.run("report", "latest", "--template", template, "--output", output, "--lang", "en")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"filled 2 cells\nwrote {output}\n"
    page = openpyxl.load_workbook(output)["Survey"]
    assert (page["B1"].value, page["B3"].value) == ("small", "below I")
    assert template.read_bytes() == content


def test_a_form_with_a_name_that_is_not_known_is_not_written(scanned: Institution, tmp_path: Path) -> None:
    template = written(tmp_path, form({**NAMES, "ztgrade.level.cor.remote_work": "Survey!$E$1"}))
    output = tmp_path / "filled.xlsx"
    result = scanned.run("report", "latest", "--template", template, "--output", output)

    assert result.exit_code == 2 and not output.exists()
    assert "did you mean ztgrade.level.core.remote_work?" in result.stderr
    assert "nothing was written" in result.stderr

    result = scanned.run("report", "latest", "--template", template, "--output", output, "--allow-missing")
    assert result.exit_code == 0 and "not filled:" in result.stderr
    assert openpyxl.load_workbook(output)["Survey"]["B1"].value == "small"


def test_a_form_without_any_of_our_names_says_where_they_are_printed(scanned: Institution, tmp_path: Path) -> None:
    template = written(tmp_path, form({}))
    result = scanned.run("report", "latest", "--template", template, "--allow-missing")

    assert result.exit_code == 2
    assert "--template-names" in result.stderr


def test_the_form_itself_is_never_overwritten(scanned: Institution, tmp_path: Path) -> None:
    content = form(NAMES)
    template = written(tmp_path, content)
    result = scanned.run("report", "latest", "--template", template, "--output", template)

    assert result.exit_code == 2 and "overwritten" in result.stderr
    assert template.read_bytes() == content


def test_a_file_that_is_no_form_is_told_with_its_name(scanned: Institution, tmp_path: Path) -> None:
    for name, content, said in (("a.xlsx", b"no", "is no workbook"), ("b.xlsx", None, "No such file")):
        template = tmp_path / name if content is None else written(tmp_path, content, name)
        result = scanned.run("report", "latest", "--template", template, "--output", tmp_path / "filled.xlsx")
        assert result.exit_code == 2 and f"{template}: {said}" in result.stderr
    result = scanned.run("report", "latest", "--template", tmp_path / "a.xlsx", "--output", tmp_path / "out.xlsm")
    assert result.exit_code == 2 and ".xlsx" in result.stderr


def test_every_name_is_printed_with_its_present_value(scanned: Institution) -> None:
    lines = scanned.run("report", "latest", "--template-names", "--lang", "en").stdout.splitlines()
    assert "ztgrade.institution = small" in lines
    assert "ztgrade.level.core.remote_work.identity.floor = below I" in lines

    told = json.loads(scanned.run("report", "latest", "--template-names", "--json", "--lang", "en").stdout)
    assert len(told["names"]) == len(lines)
    assert told["names"]["ztgrade.level.core.remote_work.identity.floor.rank"] == 0
    assert "system" in told["numbered"]["ztgrade.proposal"]


def test_options_that_do_not_go_together_are_refused(scanned: Institution, tmp_path: Path) -> None:
    for options in (
        [],
        ["--json", "--output", tmp_path / "a.html"],
        ["--allow-missing", "--output", tmp_path / "a.html"],
        ["--template-names", "--template", tmp_path / "form.xlsx"],
    ):
        assert scanned.run("report", "latest", *options).exit_code == 2
    assert list(tmp_path.iterdir()) == []
