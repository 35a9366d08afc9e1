"""From findings to tallies, requirements, items and level intervals."""
