"""Checks of the data pillar on small tables of rows."""
