"""Checks of the network pillar on small tables of rows."""
