"""Flaws as OVAL definitions (OVAL language 5.10 and 5.11), held against the list of packages that a host gives."""
