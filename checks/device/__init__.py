"""Pillar two: the endpoints and servers from which and on which work is done."""
