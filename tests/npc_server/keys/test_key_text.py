"""What a key looks like, and what is kept of it."""

from __future__ import annotations

from npc_server.keys.key_text import KeyText, hash_of, is_secret_of, new_key, parse_key


def test_a_key_is_read_back_as_it_was_made() -> None:
    for made in (new_key() for _ in range(200)):
        assert parse_key(str(made)) == made


def test_what_is_no_key_is_told_from_one() -> None:
    made = str(new_key())
    others = ("", "npc_", made[:-1], f"{made}x", f" {made}", f"{made}\n")
    assert [parse_key(text) for text in others] == [None] * 6


def test_only_the_secret_itself_fits_its_hash() -> None:
    kept = hash_of("open sesame")
    assert is_secret_of("open sesame", kept)
    assert not is_secret_of("open sesamf", kept)


def test_equal_secrets_have_different_hashes() -> None:
    assert hash_of("a").digest != hash_of("a").digest


def test_nothing_kept_holds_the_secret() -> None:
    made = KeyText("k2345678", "s" * 43)
    assert made.secret not in repr(hash_of(made.secret))
