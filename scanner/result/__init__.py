"""The result of an assessment as every consumer reads it: the JSON interface, field for field; no I/O."""
