"""What the documents state holds against the code: commands, options, paths and the check they quote."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from scanner.cli import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[tuple[str, str]]:
    """Every line of a shell block that calls ztgrade, with its page."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            found += [(page.name, line) for line in block.splitlines() if line.startswith("ztgrade ")]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_of_a_document_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line.split(" > ")[0], comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{page}: {line}"
        command = found
    with click.Context(command, info_name=command.name) as held:
        command.make_parser(held).parse_args(list(words))


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_check_quoted_in_the_readme_is_the_shipped_one() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (quoted,) = re.findall(r"```python\n(@check.*?)```", readme, re.DOTALL)
    assert quoted.strip() in (ROOT / "checks" / "device" / "compliance.py").read_text("utf-8")
