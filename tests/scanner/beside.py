"""Evidence that differs little from other evidence: what was found of files that are the same is known already."""

from __future__ import annotations

from collections.abc import Sequence

from scanner.judging.evidence import Evidence, ReadTarget


def evidence_beside(whole: Evidence, targets: Sequence[ReadTarget]) -> Evidence:
    """Evidence of these targets in a session of the same engine; to start another takes longer than most questions."""
    session = whole.connection.cursor()
    session.execute("SET TimeZone = 'UTC'")
    found = Evidence(session, targets, whole.facts, whole.as_of)
    found.keys.update(whole.keys)
    known = {target.folder for target in whole.targets}
    for target in targets:
        if target.folder is not None and target.folder not in known:
            for path in (target.folder / "facts").glob("*.parquet"):
                if path.is_symlink() and path.readlink() in whole.keys:
                    found.keys[path] = whole.keys[path.readlink()]
    if found.same == whole.same:
        same = {source for source in found.by_source if _folders(found, source) == _folders(whole, source)}
        found.relations.update({key: held for key, held in whole.relations.items() if key[0] in same})
        found.duplicated |= {key for key in whole.duplicated if key[0] in same}
    return found


def _folders(evidence: Evidence, source: str) -> list[object]:
    return [target.folder for target in evidence.by_source.get(source, [])]
