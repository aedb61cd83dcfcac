"""What a model thinks aloud reaches nobody, however it is spelled and split."""

import pytest

from npc_server.engine.text_stream import TextStream

REPLIES = {
    "a thought": ("<think>\nThe player asks me\n</think>\n\nPass.", "Pass."),
    "an empty thought": ("<think>\n\n</think>\n\nPass.", "Pass."),
    "blanks before it": ("\n <think>hm</think> Pass.", "Pass."),
    "another spelling": ("<Thinking>hm</THINKING>Pass.", "Pass."),
    "two of them": ("<think>a</think><think>b</think>Pass.", "Pass."),
    "in the middle": ("Pass. <think>hm</think>Quickly.", "Pass. Quickly."),
    "without an end": ("<think>The player asks me", ""),
    "hardly begun": ("<thin", ""),
    "an end of its own": ("</think>\n\nPass.", "Pass."),
    "an unfinished end": ("<think>hm</thi", ""),
    "no thought": ("Pass, I <3 think> you. <th", "Pass, I <3 think> you. <th"),
    "nothing but a bracket": ("<", "<"),
    "blanks alone": (" \n", " \n"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(("said", "heard"), REPLIES.values(), ids=REPLIES.keys())
def test_a_thought_is_cut_from_deltas_and_text_alike(said: str, heard: str, size: int) -> None:
    stream, data = TextStream(), said.encode()
    deltas = [stream.push(data[at : at + size]) for at in range(0, len(data), size)]
    assert "".join([*deltas, stream.finish()]) == heard
    assert stream.text == heard


def test_an_ordinary_reply_is_not_held_back() -> None:
    stream = TextStream()
    assert [stream.push(piece) for piece in (b" Aye", b", a", b" < b")] == [" Aye", ", a", " < b"]


def test_a_form_keeps_the_marks_that_it_asks_for() -> None:
    stream, form = TextStream(in_form=True), b'{"note": "<think>hm</think>"}'
    assert stream.push(form) + stream.finish() == form.decode()


def test_a_thought_before_a_form_is_cut() -> None:
    stream = TextStream(in_form=True)
    assert stream.push(b"\n<think>hm</think>") + stream.push(b"Pass.") == "Pass."


def test_a_stop_string_in_a_thought_stops_nothing() -> None:
    stream = TextStream(stop=["\n"])
    assert stream.push(b"<think>\nhm\n</think>\n\nPass.\nMore") == "Pass."
    assert stream.stopped
