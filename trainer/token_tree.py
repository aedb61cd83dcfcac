"""Rows of tokens that begin alike, as trees: what rows share stands there, and runs, once.

A node is a token after all tokens above it. So both sides of a pair share their prompt, all rows of
a character its persona text, and equal rows are one. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Ids = tuple[int, ...]

#: Attention grows with the square of a tree's size: beyond this, sharing costs more than it saves.
MOST_NODES = 2048


@dataclass(frozen=True)
class TokenTree:
    """Some rows of a batch. A node comes after the one above it."""

    tokens: Ids  # of each node
    depths: Ids  # of each node: its position in every row that it is in
    rows: Ids  # their numbers in the batch
    paths: tuple[Ids, ...]  # the nodes of each row, from the first token to the last

    def sees(self) -> Tensor:
        """What each node attends to, (node, node): itself and all nodes above it."""
        seen = torch.zeros(len(self.tokens), len(self.tokens), dtype=torch.bool)
        for path in self.paths:
            nodes = torch.tensor(path)
            above = torch.ones(len(path), len(path), dtype=torch.bool).tril()
            # What two rows share has the same nodes above it in both.
            seen[nodes[:, None], nodes] |= above
        return seen


def grow(rows: Sequence[Ids], most_nodes: int = MOST_NODES) -> Iterator[TokenTree]:
    """Yield trees that hold every row once; neighbours in the alphabet are together.

    A tree has at most `most_nodes` nodes, or a single row.
    """
    together: list[int] = []
    for row in sorted(range(len(rows)), key=lambda row: rows[row]):
        if together and _size([rows[at] for at in (*together, row)]) > most_nodes:
            yield _tree(rows, together)
            together = []
        together.append(row)
    if together:
        yield _tree(rows, together)


def _size(ordered: Sequence[Ids]) -> int:
    """How many nodes rows in alphabetical order have."""
    first, *others = ordered
    pairs = zip(ordered, others, strict=False)
    return len(first) + sum(len(row) - _alike(before, row) for before, row in pairs)


def _alike(one: Ids, other: Ids) -> int:
    """How many first tokens two rows share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _tree(rows: Sequence[Ids], together: Sequence[int]) -> TokenTree:
    nodes: dict[tuple[int, int], int] = {}  # by the node above (-1 = none) and the token
    depths: list[int] = []
    paths = []
    for row in together:
        path: list[int] = []
        for token in rows[row]:
            key = (path[-1] if path else -1, token)
            if key not in nodes:
                nodes[key] = len(nodes)
                depths.append(len(path))
            path.append(nodes[key])
        paths.append(tuple(path))
    return TokenTree(
        tokens=tuple(token for _, token in nodes),
        depths=tuple(depths),
        rows=tuple(together),
        paths=tuple(paths),
    )
