"""The endpoint agent: looks at one host with the standard library and psutil; it never judges and runs no code sent to it."""
