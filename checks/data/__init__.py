"""Pillar five: stores of data, the ways in and the ways out."""
