"""Pillar three: segments, paths and the devices that join them."""
