"""Ports: the only code of the collectors that speaks over a network; errors of libraries are translated here."""
