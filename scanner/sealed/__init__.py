"""Evidence on disk: collections and assessments that are sealed, chained, and verified."""
