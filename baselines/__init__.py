"""The baselines: guidelines as data, one folder of TOML each."""
