"""Feeds of published flaws, read from files, against the packages that a host says are installed."""
