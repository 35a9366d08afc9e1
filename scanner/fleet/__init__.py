"""Server side of the endpoint agents: who may speak, what was said, and proof of both; nothing is judged here."""
