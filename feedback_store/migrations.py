"""The tables, as numbered steps that are applied on open and never edited once released.

A change of tables is a new step at the end. Which steps a file has seen is kept in the file itself
(`_sqlite_migrations`), so a blank file and an old one take the same path. The application id in
the file's header tells a feedback store from any other SQLite file.
"""

from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x54525550  # "TRUP"

STEPS = Migrations("feedback_store")


@STEPS()
def m001_sessions_and_turns(db: Database) -> None:
    """What was said. Provenance is on the turn, because only there is it one value per reply."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(
        """
        CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            player_id TEXT NOT NULL,
            character TEXT NOT NULL,
            persona_version TEXT NOT NULL,
            started_at TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE turns (
            turn_id TEXT PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (session_id),
            character TEXT NOT NULL,
            player_id TEXT NOT NULL,
            persona_version TEXT NOT NULL,
            adapter_version TEXT NOT NULL,
            adapter_hash TEXT NOT NULL,
            base_sha256 TEXT NOT NULL,
            messages TEXT NOT NULL,
            prompt_ids BLOB NOT NULL,
            reply_ids BLOB NOT NULL,
            player_text TEXT NOT NULL,
            reply_text TEXT NOT NULL,
            take INTEGER NOT NULL,
            first_turn_id TEXT NOT NULL,
            finish_reason TEXT NOT NULL,
            sampling TEXT NOT NULL,
            seed INTEGER NOT NULL,
            arm_probability REAL NOT NULL,
            logprob REAL,
            queue_ms REAL NOT NULL,
            ttft_ms REAL NOT NULL,
            total_ms REAL NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """
    )
    # Selection reads one character in time order; counts read the index alone, not the wide rows.
    db.execute("CREATE INDEX turns_by_character ON turns (character, created_at)")
    db.execute("CREATE INDEX turns_by_session ON turns (session_id)")
    db.execute("CREATE INDEX sessions_by_character ON sessions (character, player_id)")


@STEPS()
def m002_events(db: Database) -> None:
    """What players did. The payload is JSON, so that a new kind of reaction needs no new table."""
    db.execute(
        """
        CREATE TABLE events (
            event_id TEXT PRIMARY KEY,
            turn_id TEXT NOT NULL REFERENCES turns (turn_id),
            player_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            payload TEXT NOT NULL,
            created_at TEXT NOT NULL,
            received_at TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX events_by_turn ON events (turn_id)")


@STEPS()
def m003_consent_and_rolled_back_turns(db: Database) -> None:
    """Who may be trained on, and what the player lived through.

    Nobody was asked before this step, so nothing older may be trained on.
    """
    db.execute("ALTER TABLE sessions ADD COLUMN consent INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE turns ADD COLUMN consent INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE turns ADD COLUMN rolled_back INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX sessions_by_player ON sessions (player_id)")
    # Retention deletes by age, over all characters.
    db.execute("CREATE INDEX turns_by_age ON turns (created_at)")


@STEPS()
def m004_events_of_sessions(db: Database) -> None:
    """An event may be about a whole session, be derived, and be taken back.

    The character is repeated here so that one character's events are found without its turns.
    """
    db.execute("ALTER TABLE events RENAME TO former_events")
    db.execute(
        """
        CREATE TABLE events (
            event_id TEXT PRIMARY KEY,
            session_id TEXT NOT NULL,
            turn_id TEXT REFERENCES turns (turn_id),
            character TEXT NOT NULL,
            player_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            payload TEXT NOT NULL,
            created_at TEXT NOT NULL,
            received_at TEXT NOT NULL,
            undone_at TEXT
        ) STRICT
        """
    )
    db.execute(
        """
        INSERT INTO events
        SELECT event_id, session_id, turn_id, character, former_events.player_id, kind, 'explicit',
               payload, former_events.created_at, received_at, NULL
        FROM former_events JOIN turns USING (turn_id)
        """
    )
    db.execute("DROP TABLE former_events")
    db.execute("CREATE INDEX events_by_turn ON events (turn_id)")
    db.execute("CREATE INDEX events_by_character ON events (character, created_at)")
    db.execute("CREATE INDEX events_of_sessions ON events (session_id) WHERE turn_id IS NULL")


@STEPS()
def m005_checkpoints(db: Database) -> None:
    """Save games. The exchanges are JSON: they are read and written as one."""
    db.execute(
        """
        CREATE TABLE checkpoints (
            token TEXT PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (session_id),
            exchanges TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX checkpoints_by_session ON checkpoints (session_id)")


@STEPS()
def m006_forgotten_sessions_and_refusals(db: Database) -> None:
    """Sessions that a running server must not record again, and what the limits turned away."""
    db.execute(
        """
        CREATE TABLE forgotten_sessions (
            session_id TEXT PRIMARY KEY,
            forgotten_at TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE refusals (
            day TEXT NOT NULL,
            character TEXT NOT NULL,
            rule TEXT NOT NULL,
            events INTEGER NOT NULL,
            PRIMARY KEY (day, character, rule)
        ) STRICT
        """
    )


@STEPS()
def m007_retention_index_statistics_index_and_replies(db: Database) -> None:
    """What operators ask for: the oldest turns by consent, figures of one character, replies.

    Figures are read from an index alone, because a turn's row is wide. The view is for people who
    browse: a reply with what its player last said of it, without the provenance.
    """
    db.execute("CREATE INDEX turns_by_consent ON turns (consent, created_at)")
    db.execute(
        "CREATE INDEX turns_for_statistics ON turns"
        " (character, adapter_version, consent, rolled_back, finish_reason, take)"
    )
    db.execute(
        """
        CREATE VIEW replies AS
        SELECT
            created_at AS time,
            character,
            player_text AS player_line,
            reply_text AS reply,
            iif(adapter_version = '', 'base', adapter_version) AS version,
            (SELECT iif(payload ->> 'up', 'up', 'down') FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'thumb' AND undone_at IS NULL
                ORDER BY events.created_at DESC, event_id DESC LIMIT 1) AS vote,
            (SELECT payload -> 'reasons' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'thumb' AND undone_at IS NULL
                ORDER BY events.created_at DESC, event_id DESC LIMIT 1) AS reasons,
            (SELECT payload ->> 'stars' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'rating' AND undone_at IS NULL
                ORDER BY events.created_at DESC, event_id DESC LIMIT 1) AS stars,
            (SELECT payload ->> 'text' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'edit' AND undone_at IS NULL
                ORDER BY events.created_at DESC, event_id DESC LIMIT 1) AS correction,
            take,
            rolled_back,
            consent,
            session_id,
            turn_id
        FROM turns
        """
    )


@STEPS()
def m008_when_events_happened(db: Database) -> None:
    """What a player did offline counts from when it happened, and not from when it arrived.

    Empty where the client does not tell: then the arrival counts, as it did before.
    """
    db.execute("ALTER TABLE events ADD COLUMN occurred_at TEXT")
    order = "coalesce(occurred_at, events.created_at) DESC, events.created_at DESC, event_id DESC"
    db.execute("DROP VIEW replies")
    db.execute(
        f"""
        CREATE VIEW replies AS
        SELECT
            created_at AS time,
            character,
            player_text AS player_line,
            reply_text AS reply,
            iif(adapter_version = '', 'base', adapter_version) AS version,
            (SELECT iif(payload ->> 'up', 'up', 'down') FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'thumb' AND undone_at IS NULL
                ORDER BY {order} LIMIT 1) AS vote,
            (SELECT payload -> 'reasons' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'thumb' AND undone_at IS NULL
                ORDER BY {order} LIMIT 1) AS reasons,
            (SELECT payload ->> 'stars' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'rating' AND undone_at IS NULL
                ORDER BY {order} LIMIT 1) AS stars,
            (SELECT payload ->> 'text' FROM events
                WHERE events.turn_id = turns.turn_id AND kind = 'edit' AND undone_at IS NULL
                ORDER BY {order} LIMIT 1) AS correction,
            take,
            rolled_back,
            consent,
            session_id,
            turn_id
        FROM turns
        """
    )


@STEPS()
def m009_annotations_of_turns(db: Database) -> None:
    """What a turn was besides its text, by topic; earlier turns were nothing else."""
    db.execute("ALTER TABLE turns ADD COLUMN annotations TEXT NOT NULL DEFAULT '{}'")


@STEPS()
def m010_memories(db: Database) -> None:
    """What characters remember of players, in this session or across them, and who stood by.

    Whether it still counts after a save game was loaded is repeated from the turns, whose rows are
    wide. A save game lists the sessions whose memories counted when it was made; earlier ones list
    none, and loading one leaves memories of other sessions as they are.
    """
    db.execute("ALTER TABLE sessions ADD COLUMN memory TEXT NOT NULL DEFAULT 'session'")
    db.execute("ALTER TABLE sessions ADD COLUMN present TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE checkpoints ADD COLUMN remembered_sessions TEXT")
    db.execute(
        """
        CREATE TABLE statements (
            statement_id TEXT PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (session_id),
            turn_id TEXT NOT NULL REFERENCES turns (turn_id),
            player_id TEXT NOT NULL,
            character TEXT NOT NULL,
            spoken_to TEXT NOT NULL,
            topic TEXT NOT NULL,
            value TEXT NOT NULL,
            text TEXT NOT NULL,
            weight INTEGER NOT NULL,
            finder TEXT NOT NULL,
            span TEXT NOT NULL,
            told_at TEXT NOT NULL,
            rolled_back INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE summaries (
            summary_id TEXT PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (session_id),
            player_id TEXT NOT NULL,
            character TEXT NOT NULL,
            turn_ids TEXT NOT NULL,
            text TEXT NOT NULL,
            span TEXT NOT NULL,
            made_at TEXT NOT NULL,
            rolled_back INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """
    )
    db.execute("CREATE INDEX statements_by_player ON statements (player_id, character, told_at)")
    db.execute("CREATE INDEX statements_by_session ON statements (session_id)")
    db.execute("CREATE INDEX statements_by_turn ON statements (turn_id)")
    db.execute("CREATE INDEX summaries_by_player ON summaries (player_id, character, made_at)")
    db.execute("CREATE INDEX summaries_by_session ON summaries (session_id)")


@STEPS()
def m011_greetings_of_sessions(db: Database) -> None:
    """What a character said before the player did; in earlier sessions it said nothing."""
    db.execute("ALTER TABLE sessions ADD COLUMN greeting TEXT NOT NULL DEFAULT ''")


@STEPS()
def m012_situations_of_checkpoints(db: Database) -> None:
    """How things stood in the game at a save game; earlier ones were told nothing."""
    db.execute("ALTER TABLE checkpoints ADD COLUMN situation TEXT NOT NULL DEFAULT '{}'")


@STEPS()
def m013_scenes(db: Database) -> None:
    """Which scene a session is a part of, save games of scenes, and what triggers had rested.

    Sessions of earlier scenes are parts of none; there is no save game of them.
    """
    db.execute("ALTER TABLE sessions ADD COLUMN scene_id TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX sessions_by_scene ON sessions (scene_id)")
    db.execute("ALTER TABLE checkpoints ADD COLUMN rested_s TEXT NOT NULL DEFAULT '{}'")
    db.execute(
        """
        CREATE TABLE scene_saves (
            token TEXT PRIMARY KEY,
            scene_id TEXT NOT NULL,
            created_at TEXT NOT NULL,
            players TEXT NOT NULL,
            turn_ids TEXT NOT NULL,
            state TEXT NOT NULL
        ) STRICT
        """
    )


@STEPS()
def m014_reports_of_actions(db: Database) -> None:
    """What came of actions, for a character that has not heard of it yet when its server ends."""
    db.execute(
        """
        CREATE TABLE action_reports (
            turn_id TEXT PRIMARY KEY REFERENCES turns (turn_id),
            session_id TEXT NOT NULL REFERENCES sessions (session_id),
            text TEXT NOT NULL,
            reported_at TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX action_reports_by_session ON action_reports (session_id)")


@STEPS()
def m015_games(db: Database) -> None:
    """Whose sessions these are, where several games share a server; all earlier ones are of one."""
    for table in ("sessions", "turns", "events"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN game TEXT NOT NULL DEFAULT 'default'")


def step_names() -> list[str]:
    """The names of all steps this release knows, in order."""
    blank = Database(memory=True)
    try:
        return [step.name for step in STEPS.pending(blank)]
    finally:
        blank.close()
