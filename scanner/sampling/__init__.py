"""Samples of populations that people examine: drawn so that anybody can draw them again, and never claiming more."""
