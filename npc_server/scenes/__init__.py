"""Several characters and players in one place.

To each character a scene is a conversation like any other, in which everybody else is the player:
what it heard since it last spoke is one message, in which nobody can speak in another's name
(`quotations`). One `transcript` says who said what and who heard it; `speaking_order` says who
speaks next. A character has one history in a scene, and a session for each player whom it answered,
so that every turn has one player to credit (`scene`). `performance` lets several speak at once and
be interrupted; `scenes` holds the open ones. `talking` has lines answered and characters go on, and
`triggers` has them speak of what happens, which `cues` says who does; `delivery` makes each line of
theirs. `barks` makes idle talk.
"""
