"""Pillar four: applications, the rights inside them and how they are built."""
