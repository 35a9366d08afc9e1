"""Reading targets under restraint, and turning whatever escapes into gaps."""
