"""Checks of the device pillar on small tables of rows."""
