"""The core of ztgrade: from collected facts to a sealed, re-performable assessment."""

__version__ = "0.1.0"
