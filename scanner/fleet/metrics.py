"""Counts of the server, as Prometheus reads them."""

from __future__ import annotations

from collections import Counter

Labels = tuple[tuple[str, str], ...]
REQUESTS = "ztgrade_fleet_requests_total"


class Metrics:
    """Counters and gauges; used by the event loop only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._requests: Counter[tuple[str, int]] = Counter()
        """Apart, since nothing is counted as often."""

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count something."""
        self._counts[name, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]

    def count(self, path: str, status: int) -> None:
        """Count a request that was answered."""
        self._requests[path, status] += 1

    def text(self, gauges: dict[str, float]) -> str:
        """All counters, and the gauges given, in the text format of Prometheus."""
        counts = dict(self._counts)
        for (path, status), value in self._requests.items():
            counts[REQUESTS, (("path", path), ("status", str(status)))] = value
        lines = []
        for (name, labels), value in sorted(counts.items()):
            shown = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"{name}{{{shown}}} {value}" if shown else f"{name} {value}")
        names = {name: "counter" for name, _ in counts} | dict.fromkeys(gauges, "gauge")
        types = [f"# TYPE {name} {kind}" for name, kind in sorted(names.items())]
        return "\n".join([*types, *lines, *(f"{name} {value}" for name, value in sorted(gauges.items()))]) + "\n"
