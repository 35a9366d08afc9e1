"""Progress speaks to a person on the stream it was given, and nowhere else."""

from __future__ import annotations

import io
import threading

import pytest

from scanner.collecting.progress import Bars, Lines, ReadState, Silent, Summary, progress_on

HOSTILE = "sw\x1b]0;owned\x07[red]1[/red]\r\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def summary(target: str = "hr", **given: object) -> Summary:
    whole: dict[str, object] = {
        "target": target,
        "source": "hr",
        "collector": "import",
        "state": ReadState.READ,
        "rows": {"User": 3, "Employment": 4},
        "gaps": 1,
        "complete": True,
        "seconds": 2.04,
        "root": "ab" * 32,
        **given,
    }
    return Summary(**whole)  # type: ignore[arg-type]


def tell(view: Silent, target: str = "hr") -> None:
    view.begun(1)
    view.started(target)
    view.advanced(target, 1000)
    view.waiting(target, 30.2)
    view.ended(summary(target))
    view.closed()


def test_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    tell(progress_on(stream, {}))

    assert stream.getvalue().splitlines() == [
        "reading 1 targets",
        "hr: reading",
        "hr: asked to slow down, waiting 30 s",
        "hr: read, 7 facts, 1 gaps, 2.0 s",
    ]


def test_a_terminal_gets_a_live_view_with_the_result_left_standing() -> None:
    stream = Terminal()
    view = progress_on(stream, {"TERM": "xterm"})
    tell(view)

    assert isinstance(view, Bars)
    assert "hr: read, 7 facts, 1 gaps, 2.0 s" in stream.getvalue()


def test_a_dumb_terminal_gets_plain_lines() -> None:
    assert isinstance(progress_on(Terminal(), {"TERM": "dumb"}), Lines)


def test_no_color_takes_the_colours_away() -> None:
    stream = Terminal()
    tell(progress_on(stream, {"TERM": "xterm", "NO_COLOR": "1"}))

    colours = [code for code in ("\x1b[3", "\x1b[9", "\x1b[1;3", "\x1b[38") if code + "1m" in stream.getvalue()]
    assert colours == []
    assert "\x1b[38;" not in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_hostile_names_and_details_reach_no_terminal_as_commands(stream: io.StringIO) -> None:
    view = progress_on(stream, {"TERM": "xterm"})
    view.begun(1)
    view.started(HOSTILE)
    view.advanced(HOSTILE, 1000)
    view.ended(summary(HOSTILE, detail=HOSTILE))
    view.closed()

    shown = stream.getvalue()
    assert "\x07" not in shown
    assert "\x1b]0" not in shown
    assert "[red]1[/red]" in shown, "markup is shown, not obeyed"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_stdout_is_never_touched(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    tell(progress_on(stream, {"TERM": "xterm"}))

    assert capsys.readouterr().out == ""


def test_every_view_keeps_the_summaries_and_a_quiet_one_says_nothing() -> None:
    stream = io.StringIO()
    views = [progress_on(stream, {}, quiet=True), progress_on(io.StringIO(), {}), progress_on(Terminal(), {})]
    for view in views:
        tell(view)

    assert [[held.target for held in view.summaries] for view in views] == [["hr"]] * 3
    assert stream.getvalue() == ""


def test_a_reader_that_went_away_does_not_end_the_run() -> None:
    stream = io.StringIO()
    view = progress_on(stream, {})
    stream.close()
    tell(view)

    assert len(view.summaries) == 1


def test_lines_of_parallel_targets_do_not_mix() -> None:
    stream = io.StringIO()
    view = Lines(stream)
    threads = [threading.Thread(target=view.started, args=(f"t{number:02}" * 10,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(stream.getvalue().splitlines()) == [f"{f't{number:02}' * 10}: reading" for number in range(20)]


def test_a_target_that_was_never_sealed_says_so() -> None:
    held = summary(state=ReadState.NOT_STARTED, root=None, rows={}, detail="the run was stopped")

    assert held.line == "hr: not_started, nothing sealed: the run was stopped"
