"""Drawing a token, and keeping a reply to a form.

`sampler` applies penalties, truncation and temperature. `gbnf` reads a grammar (`gbnf_tokens`,
`grammar_rules`) and refuses what cannot be followed (`rule_checks`); `grammar` follows it token by
token; `json_schema` turns a JSON schema into one.
"""

from npc_server.engine.sampling.sampler import (
    Logits,
    Sampler,
    check_sampling,
    likeliest,
    token_logprob,
)

__all__ = ["Logits", "Sampler", "check_sampling", "likeliest", "token_logprob"]
