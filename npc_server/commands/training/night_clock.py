"""When the next night begins: a local time of day, whatever clocks and seasons do."""

from datetime import datetime, time, timedelta, tzinfo


def next_start(now_s: float, at: time, zone: tzinfo | None = None) -> float:
    """The next moment after `now_s` at which clocks show `at`; both in seconds since the epoch.

    `zone` None is the machine's own. A time that the change to summer skips comes an hour later by
    the clock; one that the change back repeats counts the first time.
    """
    today = datetime.fromtimestamp(now_s, zone).date()
    for days in range(3):
        moment = datetime.combine(today + timedelta(days), at, zone).timestamp()
        if moment > now_s:
            return moment
    raise AssertionError("a day has ended by the day after tomorrow")
