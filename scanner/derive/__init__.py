"""Facts from facts: pure functions over what the sources said."""
