"""Collectors: one source per module; read-only; they yield facts and gaps, never verdicts."""
