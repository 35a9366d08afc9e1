from __future__ import annotations

from agent.keyfile import parse, read_all
from tests.agent.recorded import RecordedHost


def test_keys_stand_under_their_section_and_the_last_of_equal_ones_counts() -> None:
    text = "first = 1\n# no\n; no\n[a]\nx=1\nx = 2\nodd\n[b c]\ny = a=b\n[a]\nz=\n"
    assert parse(text) == {"": {"first": "1"}, "a": {"x": "2", "z": ""}, "b c": {"y": "a=b"}}


def test_files_of_a_folder_are_read_in_the_order_of_their_names_and_hidden_ones_not() -> None:
    host = RecordedHost(
        files={"/d/20.conf": "[a]\nx=2\n", "/d/10.conf": "[a]\nx=1\ny=1\n", "/d/.30.conf": "[a]\nx=3\n"}
    )
    assert read_all(host, "/d", ".conf")["a"] == {"x": "2", "y": "1"}
    assert read_all(host, "/none", ".conf") == {}
