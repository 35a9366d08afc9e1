"""A draw can be made again by anybody, from the seed and the list alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.sampling.draw import draw, frame_digest, key_line_fault, place_of, seed_fault

KEYS = [f"user:corp:{number:03d}" for number in range(200)]
SEED = "lottery of 2026-11-20: 7 11 13"


def test_the_draw_depends_on_seed_and_keys_and_not_on_their_order() -> None:
    drawn = draw(KEYS, SEED, 10)
    assert drawn == draw(reversed(KEYS), SEED, 10) == draw(set(KEYS), SEED, 10)
    assert drawn != draw(KEYS, SEED + "!", 10)
    assert drawn[:5] == draw(KEYS, SEED, 5)
    # written down once; another version of Python must give the same
    assert drawn[:3] == ["user:corp:174", "user:corp:198", "user:corp:103"]


def test_a_shell_draws_the_same(tmp_path: Path) -> None:
    assert shutil.which("sha256sum") and shutil.which("sort")
    hostile = [*KEYS[:20], "=cmd|' /C calc'!A1", "用戶:甲", "-n", "a'b", "\\n", "%s"]
    listed = tmp_path / "keys.txt"
    listed.write_text("".join(f"{key}\n" for key in hostile), encoding="utf-8")
    script = """
        while IFS= read -r key; do
            printf '%s %s\\n' "$(printf '%s\\n%s' "$SEED" "$key" | sha256sum | cut -d' ' -f1)" "$key"
        done < keys.txt | LC_ALL=C sort | head -n 5 | cut -d' ' -f2-
        LC_ALL=C sort keys.txt | sha256sum | cut -d' ' -f1
    """
    said = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env={"SEED": SEED, "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    *drawn, digest = said.stdout.decode().splitlines()
    assert drawn == draw(hostile, SEED, 5)
    assert digest == frame_digest(hostile)


def test_every_key_has_the_same_chance() -> None:
    counts = dict.fromkeys(KEYS[:20], 0)
    for number in range(2000):
        for key in draw(counts, f"seed number {number}", 5):
            counts[key] += 1
    assert all(400 < count < 600 for count in counts.values()), counts  # 500 expected, deviation 19


def test_all_can_be_drawn_and_no_more() -> None:
    assert sorted(draw(KEYS, SEED, len(KEYS))) == KEYS
    for size in (0, len(KEYS) + 1):
        with pytest.raises(UsageError, match="cannot be drawn of 200"):
            draw(KEYS, SEED, size)


def test_seed_and_key_cannot_be_shifted_into_each_other() -> None:
    assert place_of("seed one", "a") != place_of("seed onea", "") != place_of("seed one\n", "a")
    assert seed_fault("seed one\n") and seed_fault("short") and seed_fault(" padded seed") and seed_fault("x" * 201)
    assert seed_fault(SEED) is None


@pytest.mark.parametrize("key", ["", " a", "a ", "a\nb", "a\rb", "a\u2028b", "a\tb", "x" * 1025, "\ud800"])
def test_a_key_that_could_be_read_otherwise_is_no_key(key: str) -> None:
    assert key_line_fault(key)
    assert key_line_fault("用戶:甲 乙") is None
