"""The endpoint agent: looks at one host with the standard library and psutil; never judges, never runs sent code."""

__version__ = "0.1.0"
