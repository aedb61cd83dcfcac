"""Whole-word matching, the same for authored word lists and for replies.

Case, punctuation, hyphens and typographic quotes do not matter: "half-moon" finds "Half Moon",
"Oren" finds "Oren's". Of inflections those are found that `languages.inflection` lists; English has
none there: list "key" and "keys" when both count.
"""

from languages.phrases import TextList, mentioned
from languages.reading import similar_texts, similarity_percent, word_count, word_runs, words

__all__ = [
    "TextList",
    "mentioned",
    "similar_texts",
    "similarity_percent",
    "word_count",
    "word_runs",
    "words",
]
