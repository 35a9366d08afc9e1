"""The reports: what they show, how safely, and that both languages say the same."""
