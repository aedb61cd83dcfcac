"""Publishes a trained reward head, by which the server then chooses a character's replies.

Published as a voice is, below a root of its own, with its words and what it got right in the
manifest, if it is surely better than chance. It goes live if it is not worse than the head that is
live now, both measured anew on the same held-out pairs: yesterday's were others.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from feedback_store.selection import Pair, Snapshot
from personas.adapter_repo import AdapterRepo, Draft, Manifest, content_hash
from personas.chat_ids import chat_of
from personas.render import Tokenizer
from personas.reward_heads import METHOD, Word, words_of
from trainer.errors import AdapterError
from trainer.heads import head_card
from trainer.heads.agreement import Agreement, JudgedPair, agreement
from trainer.heads.head_card import Card
from trainer.heads.head_scores import score_replies
from trainer.held import Device
from trainer.lora import load_voice
from trainer.rows.datasets import pair_ids

CHANCE = 0.5


def publish_head(
    heads: Path,
    character: str,
    head: Path,
    base_sha256: str,
    snapshot: Snapshot,
    chat_format: str,
) -> str:
    """Make a trained head a version below `heads`; "" when it may be no better than chance.

    The same head of the same rows is published once. Raises AdapterError, AdapterRepoError.
    """
    card, repo = head_card.read(head), AdapterRepo(heads)
    if card.interval.low <= CHANCE:
        return ""
    trained = (content_hash(head), snapshot.hash)
    for known in repo.versions(character):
        if (known.content_hash, known.snapshot_hash) == trained:
            return known.version
    draft = _draft(character, card, base_sha256, snapshot, chat_format)
    return repo.publish(draft, head).version


def promote_head(
    heads: Path,
    character: str,
    version: str,
    base_dir: Path,
    tokenizer: Tokenizer,
    held_out: Sequence[Pair],
    device: Device = Device.AUTO,
) -> bool:
    """Make a published head live unless the live one is right more often; whether it is live now.

    Both are asked about the same held-out pairs, at least one. A live head of another base or
    chat format is not compared. Raises AdapterRepoError, AdapterError, BaseModelError.
    """
    repo = AdapterRepo(heads)
    new, old = repo.verify(character, version), _live(repo, character)
    if old and old.version != version and _comparable(old, new, tokenizer):
        new_share, old_share = (
            _measure_agreement(repo, head, base_dir, tokenizer, held_out, device).share
            for head in (new, old)
        )
        if new_share < old_share:
            return False
    repo.promote(character, version)
    return True


def _comparable(old: Manifest, new: Manifest, tokenizer: Tokenizer) -> bool:
    same_base = old.base_sha256 == new.base_sha256
    return same_base and chat_of(tokenizer).matches(old.chat_format)


def _live(repo: AdapterRepo, character: str) -> Manifest | None:
    version = repo.aliases(character).live
    return repo.verify(character, version) if version else None


def _draft(
    character: str, card: Card, base_sha256: str, snapshot: Snapshot, chat_format: str
) -> Draft:
    return Draft(
        character=character,
        parent=None,
        base_sha256=base_sha256,
        method=METHOD,
        config={**card.config, "good": asdict(card.good), "bad": asdict(card.bad)},
        snapshot_hash=snapshot.hash,
        players=snapshot.players,
        gate={
            "held_out_accuracy": card.held_out_accuracy,
            "held_out_rows": card.held_out_rows,
            "interval": asdict(card.interval),
        },
        chat_format=chat_format,
    )


def _measure_agreement(
    repo: AdapterRepo,
    head: Manifest,
    base_dir: Path,
    tokenizer: Tokenizer,
    pairs: Sequence[Pair],
    device: Device,
) -> Agreement:
    rows = [pair_ids(pair, tokenizer) for pair in pairs]
    replies = [(row.prompt, reply) for row in rows for reply in (row.chosen, row.rejected)]
    model = load_voice(base_dir, repo.path(head.character, head.version), device)
    made = score_replies(model, _words(head), replies, lambda _: None)
    margins = zip(pairs, made[::2], made[1::2], strict=True)
    return agreement([JudgedPair(pair.player_id, good - bad) for pair, good, bad in margins])


def _words(head: Manifest) -> tuple[Word, Word]:
    words = words_of(head)
    if words is None:
        raise AdapterError(f"{head.character} {head.version} is a voice, not a reward head")
    return words.good, words.bad
