"""A cheaper way to score a batch of replies whose prompts begin alike.

TRL asks its model for the log-probability of every label (`fused_lm_head=True`). Its own answer
suits CUDA: without Triton it multiplies every position, prompts and padding too, with the whole
vocabulary, and it runs every token of every row. The rows of one character begin with the same
persona text, both sides of a pair with the same prompt, and only the reply carries labels. So here

- rows run as trees (`token_tree`): what rows share runs once, and nothing is padded,
- only positions with a label meet the vocabulary.

Token ids, positions, what each token sees, and gradients are those of the plain forward; numbers
agree up to float rounding. Left out: entropy and mean logits, which TRL only logs, stay zero. A
model whose layers do not all see the whole context (sliding windows) keeps TRL's forward.

A batch may also carry a weight per row. It scales the gradient of the row's log-probabilities and
leaves their values alone, so a log shows the same numbers for any weight.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from trl.trainer.utils import FusedCausalLMOutput

from trainer.token_tree import MOST_NODES, TokenTree, grow

IGNORED = -100  # the label for "no loss here", in PyTorch and TRL


def install(model: PreTrainedModel) -> None:
    """Replace `model.forward` for TRL's scoring calls; any other call is unchanged.

    TRL passes on the other columns of a batch, so `weights`, one per row, arrive here. One path
    serves policy and reference alike: rounding must not make them differ.
    """
    plain: Callable[..., Any] = model.forward
    cheaply = _sees_whole_context(model)

    def forward(
        *args: Any, fused_lm_head: bool = False, weights: Tensor | None = None, **kwargs: Any
    ) -> Any:
        if not fused_lm_head:
            return plain(*args, **kwargs)
        scored: Any
        if cheaply:
            wanted = [kwargs[name] for name in ("input_ids", "attention_mask", "labels")]
            log_probs = label_log_probs(model, *wanted)
            scored = _fused_output(log_probs, wanted[2])
        else:
            scored = plain(*args, fused_lm_head=True, **kwargs)
        if weights is not None:
            scored.log_probs = scale_gradients(scored.log_probs, weights)
        return scored

    model.forward = forward  # as TRL installs its own


def scale_gradients(log_probs: Tensor, weights: Tensor) -> Tensor:
    """The same values, (rows, length), with each row's gradient times its weight."""
    settled = log_probs.detach()
    return settled + weights[:, None] * (log_probs - settled)


def label_log_probs(
    model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
) -> Tensor:
    """Log-probability in nats of each next-token label, (rows, length - 1); 0 where ignored.

    Rows are padded on the right. They must not all be empty.
    """
    log_probs = torch.zeros(labels[:, 1:].shape, dtype=torch.float32, device=labels.device)
    for tree in _trees(model, input_ids, attention_mask):
        hidden = _tree_hidden(model, tree)
        places, nodes = _label_places(tree, labels)
        if len(nodes):
            found = _log_probs(model, hidden, nodes, labels[:, 1:][places])
            log_probs = log_probs.index_put(places, found)
    return log_probs


def last_hidden(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The last layer's state at the last token of each row, (rows, width).

    Rows are padded on the right. A model with sliding windows shares no beginning.
    """
    trees = list(_trees(model, input_ids, attention_mask))
    found = [_tree_hidden(model, tree)[[path[-1] for path in tree.paths]] for tree in trees]
    order = torch.tensor([row for tree in trees for row in tree.rows], device=input_ids.device)
    return torch.cat(found)[order.argsort()]


def _trees(
    model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor
) -> Iterator[TokenTree]:
    """The rows without their padding, each alone where layers do not see the whole context."""
    lengths = attention_mask.sum(1).tolist()
    rows = zip(input_ids.tolist(), lengths, strict=True)
    most_nodes = MOST_NODES if _sees_whole_context(model) else 0
    return grow([tuple(ids[:length]) for ids, length in rows], most_nodes)


def _tree_hidden(model: PreTrainedModel, tree: TokenTree) -> Tensor:
    """The last layer's state at each node, (node, width)."""
    ids, depths = (torch.tensor([part], device=model.device) for part in (tree.tokens, tree.depths))
    alone = len(tree.rows) == 1  # then the model knows itself what sees what
    mask = None if alone else _mask(model, tree.sees().to(model.device))
    whole = model.base_model(
        input_ids=ids, attention_mask=mask, position_ids=depths, use_cache=False
    )
    return cast(Tensor, whole.last_hidden_state[0])


def _mask(model: PreTrainedModel, sees: Tensor) -> Tensor:
    """What sees what, (1, 1, node, node), in the form that the model's attention takes."""
    if model.config._attn_implementation == "sdpa":
        return sees[None, None]
    lowest = torch.finfo(model.dtype).min
    added = torch.zeros(sees.shape, dtype=model.dtype, device=sees.device)
    return added.masked_fill(~sees, lowest)[None, None]


def _label_places(tree: TokenTree, labels: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Rows and columns of the tree's labels, and the node that says each of them."""
    rows, columns, nodes = [], [], []
    for row, path in zip(tree.rows, tree.paths, strict=True):
        said = (labels[row, 1 : len(path)] != IGNORED).nonzero()[:, 0].tolist()
        rows += [row] * len(said)
        columns += said
        nodes += [path[at] for at in said]
    found = [torch.tensor(part, device=labels.device) for part in (rows, columns, nodes)]
    return (found[0], found[1]), found[2]


def _log_probs(model: PreTrainedModel, hidden: Tensor, nodes: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of each label at its node; what equal rows share is computed once."""
    said = list(zip(nodes.tolist(), labels.tolist(), strict=True))
    once = {both: at for at, both in enumerate(dict.fromkeys(said))}
    at_nodes, wanted = (
        torch.tensor(part, device=hidden.device) for part in zip(*once, strict=True)
    )
    vocabulary = cast(nn.Module, model.lm_head)
    logits = _capped(vocabulary(hidden[at_nodes]).float(), model)
    found = -functional.cross_entropy(logits, wanted, reduction="none")
    return found[[once[both] for both in said]]


def _capped(logits: Tensor, model: PreTrainedModel) -> Tensor:
    """Logits within the bounds that Gemma's models keep them in."""
    most = getattr(model.config, "final_logit_softcapping", None)
    return logits if most is None else most * torch.tanh(logits / most)


def _fused_output(log_probs: Tensor, labels: Tensor) -> FusedCausalLMOutput:
    nothing = torch.zeros_like(log_probs)
    return FusedCausalLMOutput(
        log_probs=log_probs,
        entropy=nothing,
        mean_logits=nothing,
        is_top1=nothing.bool(),
        label_mask=labels[:, 1:] != IGNORED,
    )


def _sees_whole_context(model: PreTrainedModel) -> bool:
    layers = getattr(model.config, "layer_types", None)
    if layers is None:
        return getattr(model.config, "sliding_window", None) is None
    return set(layers) == {"full_attention"}
