"""Checks of the identity pillar on small tables of rows."""
