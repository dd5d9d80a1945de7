"""How posts are received: numbers that grow with time, on command.

A post gathers most of what it ever gets in its first hours, as real ones do; posts of one account differ by chance,
which is the same for the same seed and post. A burst is what happens when somebody with many followers repeats it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import msgspec

from sandbox.accounts import Accounts
from sandbox.ledger import Ledger, Post

_SHARES: dict[str, float] = {
    "likes": 0.62,
    "replies": 0.1,
    "reposts": 0.12,
    "quotes": 0.03,
    "bookmarks": 0.05,
    "saves": 0.08,
    "sends": 0.02,
    "link_clicks": 0.35,
    "profile_clicks": 0.12,
    "profile_views": 0.1,
    "followers_gained": 0.02,
}
"""Of a post's engagements, under the ledger's names."""
_ALIASES: dict[str, str] = {"shares": "reposts", "comments": "replies", "views": "impressions"}


class NewGrowth(msgspec.Struct, forbid_unknown_fields=True):
    """How the posts of an account are received, those it has and those to come.

    Attributes:
        impressions: what a post gets in the end, in the median.
        rate: engagements for each impression.
        hours: in which it gets 63 % of that.
        scatter: of the logarithm of impressions, from post to post.
        followers_a_day: what the account gains.
    """

    impressions: int = 2_000
    rate: float = 0.03
    hours: float = 6.0
    scatter: float = 0.4
    followers_a_day: float = 0.0
    seed: int = 0


class NewBurst(msgspec.Struct, forbid_unknown_fields=True):
    """A post suddenly gets so many impressions more, within about an hour."""

    impressions: int
    rate: float = 0.05


@dataclass(slots=True)
class _Account:
    asked: NewGrowth
    since: float
    followers: int


@dataclass(slots=True)
class _Burst:
    asked: NewBurst
    at: float


@dataclass(slots=True)
class Growth:
    ledger: Ledger
    accounts: Accounts
    _growing: dict[str, _Account] = field(default_factory=dict)
    _bursts: dict[str, list[_Burst]] = field(default_factory=dict)

    def begin(self, account_id: str, asked: NewGrowth, now: float) -> None:
        account = self.accounts.get(account_id)
        self._growing[account_id] = _Account(asked, now, account.followers if account else 0)

    def burst(self, post_id: str, asked: NewBurst, now: float) -> None:
        self._bursts.setdefault(post_id, []).append(_Burst(asked, now))

    def settle(self, now: float) -> None:
        """Brings the numbers of growing accounts up to now. Costs nothing while nothing grows."""
        for account_id, growing in self._growing.items():
            account = self.accounts.get(account_id)
            if account is not None:
                days = (now - growing.since) / 86_400
                account.followers = growing.followers + int(days * growing.asked.followers_a_day)
                for post in self.ledger.posts(account.platform, account_id):
                    self._settle(post, growing.asked, now)

    def _settle(self, post: Post, asked: NewGrowth, now: float) -> None:
        chance = random.Random(f"{asked.seed}/{post.id}")
        size = asked.impressions * math.exp(chance.gauss(0, asked.scatter))
        rate = asked.rate * math.exp(chance.gauss(0, asked.scatter / 2))
        impressions = size * _grown(now - post.created_at, asked.hours * 3_600)
        engagements = impressions * rate
        for burst in self._bursts.get(post.id, ()):
            more = burst.asked.impressions * _grown(now - burst.at, 1_200)
            impressions += more
            engagements += more * burst.asked.rate
        counts = {name: int(engagements * share) for name, share in _SHARES.items()}
        counts["impressions"] = int(impressions)
        counts["unique_impressions"] = int(impressions * 0.8)
        counts["engagements"] = int(engagements)
        counts["minutes_watched"] = int(impressions * 0.5)
        counts |= {alias: counts[name] for alias, name in _ALIASES.items()}
        post.metrics.update(counts)


def _grown(age: float, scale: float) -> float:
    return 1 - math.exp(-max(0.0, age) / scale)
