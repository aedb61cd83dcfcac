"""Drawing a token: penalties, truncation and temperature (`sampler`), and replies that must have a
form: grammar text (`gbnf`), following it (`grammar`), and a JSON schema as a grammar
(`json_schema`)."""

from npc_server.engine.sampling.sampler import (
    Logits,
    Sampler,
    check_sampling,
    likeliest,
    token_logprob,
)

__all__ = ["Logits", "Sampler", "check_sampling", "likeliest", "token_logprob"]
