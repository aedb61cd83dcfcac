"""The numbers of a selection, each with its unit and its reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """How rows are divided, thinned and weighed. `docs/feedback.md` describes the defaults.

    Raises ValueError for a number outside its range.
    """

    held_out_share: float = 0.2  # of all players, never trained on
    recent_share: float = 0.1  # of the other players' sessions, the newest, held out as well
    trained_line_share: float = 0.4  # of the lines said on both sides, those that are trained on
    max_repeats: int = 3  # nearly equal corrections of one player
    max_pairs: int = 20  # of one player
    max_player_share: float = 0.05  # of the rows per kind that one player may have
    scarce_player_share: float = 1.5  # over the number of players: the share while they are few
    min_shared_items: int = 5  # judged by the player and by at least two others
    max_agreement: float = 0.25  # with the others; a player at or below it is discounted
    discount: float = 0.2  # factor on the weight of a discounted player's rows

    def __post_init__(self) -> None:
        for name in ("held_out_share", "recent_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        for name in ("max_repeats", "max_pairs", "min_shared_items"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("trained_line_share", "max_player_share", "max_agreement"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1]")
        if not 0 < self.discount <= 1 or not 1 <= self.scarce_player_share < float("inf"):
            raise ValueError(
                f"discount {self.discount} must be in (0, 1] and "
                f"scarce_player_share {self.scarce_player_share} at least 1"
            )


DEFAULT_RULES = Rules()
