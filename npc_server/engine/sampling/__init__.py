"""Drawing a token, and keeping a reply to a form.

`sampler` applies penalties, truncation and temperature; `word_beginnings` says which tokens it
leaves alone. `reply_rules` says what is drawn again: too much of what was said (`said_phrases`,
`word_scan`), and ends in mid-sentence (`reply_end`). `forms` says which tokens keep a reply to a
grammar or a JSON schema; llguidance follows both. `gbnf` reads a grammar for it (`gbnf_tokens`,
`gbnf_rules`), `json_schema` checks a schema, `json_narrowing` settles what one leaves open.
"""

from npc_server.engine.sampling.sampler import (
    Logits,
    Sampler,
    check_sampling,
    likeliest,
    token_logprob,
    token_logprobs,
)

__all__ = [
    "Logits",
    "Sampler",
    "check_sampling",
    "likeliest",
    "token_logprob",
    "token_logprobs",
]
