"""Whole-word matching, the same for authored word lists and for replies.

Case, punctuation, hyphens and typographic quotes do not matter: "half-moon" finds "Half Moon",
"Oren" finds "Oren's". Of inflections those are found that `languages.inflection` lists; English has
none there: list "key" and "keys" when both count.
"""

from languages.phrases import mentioned
from languages.reading import similarity_percent, word_count, word_runs, words

__all__ = ["mentioned", "similarity_percent", "word_count", "word_runs", "words"]
