"""Numbers that grow, bursts, and mentions on command."""

from sandbox.accounts import Account, Accounts
from sandbox.growth import Growth, NewBurst, NewGrowth
from sandbox.ledger import Ledger, Post

HOUR = 3_600.0


def world(posts: int = 1) -> tuple[Growth, list[Post]]:
    accounts, ledger = Accounts(), Ledger()
    accounts.add(Account("twitter", "7", "amara", "Amara", followers=100, kind="user", created_at=0))
    made = [
        Post("twitter", str(n), "7", "text", "text", created_at=0, visible_at=0, conversation_id=str(n))
        for n in range(posts)
    ]
    for post in made:
        ledger.add(post)
    return Growth(ledger, accounts), made


def test_most_comes_early_and_it_never_shrinks() -> None:
    growth, (post,) = world()
    growth.begin("7", NewGrowth(impressions=10_000, hours=6, scatter=0), now=0)
    seen = []
    for hours in (0.1, 1, 6, 24, 100):
        growth.settle(hours * HOUR)
        seen.append(post.metrics["impressions"])
    assert seen == sorted(seen)
    assert 6_200 < seen[2] < 6_400
    assert seen[-1] == 9_999
    assert 150 < post.metrics["likes"] < 300


def test_posts_differ_and_always_in_the_same_way() -> None:
    counts = []
    for _ in range(2):
        growth, posts = world(20)
        growth.begin("7", NewGrowth(), now=0)
        growth.settle(24 * HOUR)
        counts.append([post.metrics["impressions"] for post in posts])
    assert counts[0] == counts[1]
    assert len(set(counts[0])) == 20


def test_a_burst_and_followers() -> None:
    growth, (post,) = world()
    growth.begin("7", NewGrowth(impressions=1_000, scatter=0, followers_a_day=24), now=0)
    growth.settle(24 * HOUR)
    before = post.metrics["impressions"]
    growth.burst("0", NewBurst(impressions=40_000), now=24 * HOUR)
    growth.settle(26 * HOUR)
    assert post.metrics["impressions"] > before + 39_000
    account = growth.accounts.get("7")
    assert account is not None
    assert account.followers == 126
