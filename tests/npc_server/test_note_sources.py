"""Notes from their sources to the record of a turn."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedback_store.privacy.pseudonyms import Pseudonyms
from feedback_store.records import Session as SessionRecord
from feedback_store.records import Turn
from feedback_store.store import Store
from npc_server.adapters import Adapters
from npc_server.conversations import Conversations
from npc_server.dialogue import Dialogue
from npc_server.engine.fake import FakeEngine
from npc_server.note_sources import Moment, room_of
from npc_server.recorder import Recorder
from npc_server.reply_events import Started
from npc_server.save_games import SaveGames
from npc_server.sessions import Session, Sessions
from npc_server.turns import Model
from personas.adapter_repo import AdapterRepo
from personas.chat_ids import chat_of
from personas.fake import FakeTokenizer
from personas.notes import Note, NoteKind
from personas.persona_files import SAMPLE_CHARACTERS, load_characters


@dataclass
class Weather:
    """A source that tells another weather each time it is asked."""

    room: int = 200
    asked: list[Moment] = field(default_factory=list)

    def room_tokens(self, session: Session) -> int:
        return self.room if session.persona.id == "mira" else 0

    async def notes(self, moment: Moment) -> Sequence[Note]:
        self.asked.append(moment)
        weather = f"It rains for the {len(self.asked)}. time."
        return [Note(NoteKind.WORLD, weather, "sky"), Note(NoteKind.LORE, "long " * 99, "lake", -1)]


async def spoken(dialogue: Dialogue, session: Session, *, again: str = "") -> str:
    """Say a line, or take the turn again; returns the turn's id."""
    made = (
        dialogue.regenerate(session.session_id, again, seed=1)
        if again
        else dialogue.say(session.session_id, "Hello.", seed=1)
    )
    async with aclosing(made) as events:
        started, *_ = [event async for event in events]
    assert isinstance(started, Started)
    return started.turn_id


async def test_what_was_told_is_on_the_turn_and_the_same_for_every_take(tmp_path: Path) -> None:
    engine, cast = FakeEngine(lambda _: "Aye."), load_characters(SAMPLE_CHARACTERS)
    weather, tokenizer = Weather(), FakeTokenizer()
    with Store.open(tmp_path / "feedback.db") as store:
        recorder, sessions = Recorder(store), Sessions()
        kept = Conversations(sessions, recorder, Pseudonyms(b"k" * 32), timedelta(hours=1))
        repo = AdapterRepo(tmp_path / "adapters")
        adapters = Adapters(repo, engine, "base", tuple(cast), chat=chat_of(tokenizer))
        model = Model(engine, tokenizer, "base")
        dialogue = Dialogue(cast, model, adapters, kept, sources=(weather,))
        games = SaveGames(cast, sessions, store, recorder)
        async with recorder.at_work(grace_s=5):
            session = await dialogue.start_session("mira", "p1", consent=True)
            first = await spoken(dialogue, session)
            saved = await games.checkpoint(session.session_id)
            second = await spoken(dialogue, session, again=first)
            session = await games.restore(saved.token)
            third = await spoken(dialogue, session, again=first)
            fenn = await dialogue.start_session("fenn", "p1", consent=True)
            other = await spoken(dialogue, fenn)
        turns = {turn.turn_id: turn for turn in (*store.turns("mira"), *store.turns("fenn"))}
    assert len(weather.asked) == 1
    told = [turns[name] for name in (first, second, third)]
    assert {line_of(turn) for turn in told} == {"[It rains for the 1. time.]\nHello."}
    assert len({turn.prompt_ids for turn in told}) == 1
    assert sources_of(told[0], "kept") == ["sky"]
    assert sources_of(told[0], "dropped") == ["lake"]
    assert turns[other].annotations == {"opening": 1}


def line_of(turn: Turn) -> str:
    return turn.messages[-1]["content"]


def sources_of(turn: Turn, side: str) -> list[object]:
    notes = turn.annotations["notes"]
    assert isinstance(notes, dict)
    rows = notes[side]
    assert isinstance(rows, list)
    return [row["source"] for row in rows if isinstance(row, dict)]


def test_all_sources_together_leave_room_for_the_conversation() -> None:
    mira = load_characters(SAMPLE_CHARACTERS)["mira"]
    record = SessionRecord("s", "p", mira.id, mira.version, False, datetime.now(UTC))
    session = Session(record, mira)
    assert room_of([Weather(), Weather(9000)], session, 2000) == 1000
    assert room_of([Weather(), Weather(100)], session, 2000) == 300
