"""Reports: pure renderings of a dossier; each module offers ``render(dossier, language) -> bytes``."""
