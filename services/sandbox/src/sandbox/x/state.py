"""What the parts of the simulated X share."""

from __future__ import annotations

import secrets
from collections import defaultdict

from sandbox.snowflakes import Snowflakes
from sandbox.world import World
from sandbox.x.limits import RateWindows
from sandbox.x.problems import Problems
from sandbox.x.settings import XSettings
from sandbox.x.tweets import Tweet
from sandbox.x.uploads import Upload

PLATFORM = "twitter"
_EPOCH_MS = 1_288_834_974_657


class State:
    """Posts, uploads, rate windows and credits.

    Attributes:
        timelines: post ids of each account, oldest first.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = XSettings()
        self.ids = Snowflakes(world.clock, _EPOCH_MS)
        self.tweets: dict[str, Tweet] = {}
        self.timelines: defaultdict[str, list[str]] = defaultdict(list)
        self.uploads: dict[str, Upload] = {}
        self.windows = RateWindows()
        self.spent = 0.0

    def new_id(self) -> str:
        return str(self.ids.next())

    def new_short_url(self) -> str:
        return f"https://t.co/{secrets.token_hex(5)}"

    @property
    def now(self) -> float:
        return self.world.clock.now()

    @property
    def problems(self) -> Problems:
        host = "api.twitter.com" if self.settings.fields in ("classic", "both") else "api.x.com"
        return Problems(host)

    def charge(self, dollars: float) -> None:
        """Take from the app's credits, if they are accounted. Raises RefusedError (402) when they do not suffice."""
        if self.settings.credits is None:
            return
        if self.spent + dollars > self.settings.credits:
            raise self.problems.credits_depleted()
        self.spent += dollars
