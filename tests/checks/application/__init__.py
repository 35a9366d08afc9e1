"""Checks of the application pillar on small tables of rows."""
