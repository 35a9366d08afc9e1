from __future__ import annotations

import sys

import pytest

from agent import __version__
from agent.packaging.payload import EARLIEST, epoch, payload, version_of


def test_the_payload_is_the_agent_without_what_makes_packages() -> None:
    found = payload()
    assert {"agent/cli.py", "agent/purposes.toml", "agent/probes/boot.py"} <= set(found)
    assert not [name for name in found if "packaging" in name or "__pycache__" in name]
    assert list(found) == sorted(found)
    assert version_of(found) == __version__


def test_a_version_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="expected __version__"):
        version_of({"agent/__init__.py": b'__version__ = "1.0; rm"\n'})


def test_the_time_of_the_files_is_given_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert epoch() == EARLIEST
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert epoch() == 1_767_225_600
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ValueError, match="'yesterday'; expected whole seconds"):
        epoch()


def test_no_file_of_the_payload_needs_more_than_the_python_that_packages_ask_for() -> None:
    for name, content in payload().items():
        if name.endswith(".py"):
            compile(content, name, "exec", dont_inherit=True)
    assert sys.version_info >= (3, 11)
