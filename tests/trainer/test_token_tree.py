"""Rows that begin alike, as trees."""

import random

from trainer.token_tree import Ids, TokenTree, grow

PROMPT = (1, 2, 3)
ROWS = [(*PROMPT, 7, 8), (*PROMPT, 7, 9, 9), PROMPT, (*PROMPT, 7, 8), (5,)]


def spelled(tree: TokenTree) -> dict[int, Ids]:
    """The tokens along each row's path."""
    paths = zip(tree.rows, tree.paths, strict=True)
    return {row: tuple(tree.tokens[node] for node in path) for row, path in paths}


def test_every_row_is_spelled_along_its_path() -> None:
    (tree,) = grow(ROWS)
    assert spelled(tree) == dict(enumerate(ROWS))


def test_what_rows_share_stands_there_once() -> None:
    (tree,) = grow(ROWS)
    assert sorted(tree.tokens) == [1, 2, 3, 5, 7, 8, 9, 9]


def test_a_node_is_as_deep_as_in_its_rows_and_sees_what_is_before_it_there() -> None:
    (tree,) = grow(ROWS)
    sees = tree.sees()
    for path in tree.paths:
        for depth, node in enumerate(path):
            assert tree.depths[node] == depth
            assert set(sees[node].nonzero()[:, 0].tolist()) == set(path[: depth + 1])


def test_a_node_comes_after_the_one_above_it() -> None:
    chance = random.Random(1)
    rows = [tuple(chance.choices((1, 2), k=chance.randint(1, 12))) for _ in range(40)]
    for tree in grow(rows):
        assert all(list(path) == sorted(path) for path in tree.paths)


def test_many_rows_grow_in_trees_of_bounded_size_with_neighbours_together() -> None:
    rows = [(character, *range(9), reply) for reply in range(6) for character in (100, 200)]
    trees = list(grow(rows, most_nodes=20))
    assert sorted(row for tree in trees for row in tree.rows) == list(range(12))
    assert [{rows[row][0] for row in tree.rows} for tree in trees] == [{100}, {200}]
    assert all(len(tree.tokens) <= 20 for tree in trees)


def test_a_row_beyond_the_bound_grows_alone() -> None:
    assert [tree.rows for tree in grow([(1, 2, 3, 4, 5, 6), (1, 2)], 4)] == [(1,), (0,)]
