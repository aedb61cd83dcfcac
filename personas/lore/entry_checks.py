"""What of a file's entries does not fit together, each reported at its line."""

from collections import Counter
from collections.abc import Iterable

from personas.lore.entries import Entry
from personas.words import mentioned
from personas.yaml_file import Document


def check_entries(entries: Iterable[Entry], file: Document, language: str = "") -> None:
    """Report ids that are used twice, and entries that say what they rule out."""
    seen: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        seen[entry.id] += 1
        if seen[entry.id] == 2:
            file.report(("entries", index, "id"), f"{entry.id!r} is used twice")
        for word in mentioned(entry.text, entry.contradictions, language):
            file.report(("entries", index, "contradictions"), f"the entry itself says {word!r}")
