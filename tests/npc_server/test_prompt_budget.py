"""What a caller is told whose line or reply does not fit."""

from npc_server.errors import InvalidRequestError
from npc_server.prompt_budget import Budget, refusal_of
from personas.errors import PromptTooLongError
from personas.sizes import END_TOKENS


def refused(max_tokens: int, line: int, own: int = 80) -> Exception:
    """The refusal of a line of so many tokens to mira, who takes 150 of 1024."""
    budget = Budget(1024, max_tokens, own)
    return refusal_of(PromptTooLongError("mira", 150, line, budget.most), budget)


def test_a_long_line_is_to_be_shortened() -> None:
    told = str(refused(max_tokens=80, line=900))
    assert "this line has 900 tokens" in told
    assert "mira takes 150 of the 942" in told
    assert told.endswith("there is room for 792; shorten the line")


def test_a_call_that_asks_for_too_long_a_reply_is_told_how_much_it_may_ask_for() -> None:
    refusal = refused(max_tokens=900, line=20)
    assert isinstance(refusal, InvalidRequestError)
    assert str(refusal).endswith(f"ask for at most {1024 - 170 - END_TOKENS}")


def test_a_line_that_fits_beside_no_reply_is_to_be_shortened_whatever_is_asked_for() -> None:
    assert isinstance(refused(max_tokens=900, line=1000), PromptTooLongError)


def test_a_short_reply_lengthens_the_prompt_but_not_the_history() -> None:
    usual, brief = Budget(1024, 80, 80), Budget(1024, 10, 80)
    assert brief.most > usual.most
    assert brief.usual == usual.usual == usual.most
