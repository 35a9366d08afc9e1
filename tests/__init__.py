"""Tests, laid out as the tree they hold to its word."""
