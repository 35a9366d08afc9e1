"""A fleet's database as version 1 made it, frozen: its tables, and the rows that it wrote for two agents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scanner.fleet.database import Database
from scanner.fleet.schema import statements

FROZEN = Path(__file__).parent / "version_1.json"


def fill(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Make the frozen tables in an empty database; gives the rows of each."""
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    found = {}
    with database.transaction():
        for statement in statements("\n".join(frozen["tables"]), database.words):
            database.run(statement)
        for table, held in frozen["rows"].items():
            rows = [tuple(bytes.fromhex(each["hex"]) if isinstance(each, dict) else each for each in row)
                    for row in held["rows"]]  # fmt: skip
            marks = ", ".join("?" * len(held["columns"]))
            database.run_many(f"INSERT INTO {table} ({', '.join(held['columns'])}) VALUES ({marks})", rows)
            found[table] = rows
    return found
