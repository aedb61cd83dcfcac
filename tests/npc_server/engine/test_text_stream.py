"""What is shown of a reply is whole characters and never part of a stop string."""

from npc_server.engine.text_stream import TextStream


def shown(stream: TextStream, data: bytes) -> str:
    """Feed the bytes one by one."""
    return "".join(stream.push(bytes([byte])) for byte in data)


def test_a_character_split_over_tokens_is_shown_whole() -> None:
    stream = TextStream()
    assert [stream.push(b"caf\xc3"), stream.push(b"\xa9")] == ["caf", "é"]


def test_an_unfinished_character_is_replaced_at_the_end() -> None:
    stream = TextStream()
    stream.push(b"ok \xf0\x9f")
    assert stream.finish() == "\ufffd"


def test_a_stop_string_is_never_shown_nor_what_follows() -> None:
    stream = TextStream(stop=["\nPlayer:"])
    assert shown(stream, b"Aye.\nPlayer: more") == "Aye."
    assert stream.stopped
    assert stream.finish() == ""
    assert stream.text == "Aye."


def test_what_only_looked_like_a_stop_string_is_shown_after_all() -> None:
    stream = TextStream(stop=["END!"])
    assert stream.push(b"the EN") == "the "
    assert stream.push(b"TRY") == "ENTRY"


def test_the_earliest_of_several_stop_strings_counts() -> None:
    stream = TextStream(stop=["bb", "a"])
    assert stream.push(b"xxabb") == "xx"


def test_a_held_back_start_is_shown_when_the_reply_ends() -> None:
    stream = TextStream(stop=["END!"])
    stream.push(b"to the EN")
    assert stream.finish() == "EN"
