"""From what the sources said to findings: three-valued, column by column."""
