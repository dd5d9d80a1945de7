"""Cancelling, editing and rescheduling against the due moment. RACES says how many of each (`make races`)."""

from __future__ import annotations

import os
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

RACES = int(os.environ.get("RACES", "100"))
AT_ONCE = 20
SPREAD = 0.05
"""Seconds around the contested moment within which the command is sent."""
LEAD = 1.5
"""Seconds between a post and its due moment, at least."""


class Race:
    """One post due at a given moment, and what happened to it."""

    def __init__(self, client: Any, account: Any, due: datetime) -> None:
        self.client = client
        self.due = due
        self.mark = new_id("race")
        self.texts = [f"first {self.mark}"]
        self.acknowledged = ""
        self.answer: Any = None
        body = {
            "content": {"text": self.texts[0]},
            "platforms": [{"platform": account.platform, "account_id": account.id}],
            "publish_at": due.isoformat(),
        }
        self.post_id = client.post("/publish", body, status=201)["post_id"]

    def run(self, command: str, offset: float) -> None:
        time.sleep(max(0.0, (self.due - datetime.now(UTC)).total_seconds() + offset))
        if command == "cancel":
            self.answer = self.client.request("POST", f"/posts/{self.post_id}/cancel")
        elif command == "edit":
            self.texts.append(f"second {self.mark}")
            self.answer = self.client.request("PUT", f"/posts/{self.post_id}", {"content": {"text": self.texts[1]}})
        else:
            later = (self.due + timedelta(seconds=1)).isoformat()
            self.answer = self.client.request("POST", f"/posts/{self.post_id}/schedule", {"scheduled_at": later})


@pytest.mark.parametrize("command", ["cancel", "edit", "reschedule"])
def test_against_the_due_moment(client: Any, sandbox: Any, twitter: Any, command: str) -> None:
    dice = random.Random(command)
    won = lost = 0
    contested = 0.0
    lead = LEAD
    for _ in range(-(-RACES // AT_ONCE)):
        begun = time.monotonic()
        due = datetime.now(UTC) + timedelta(seconds=lead)
        races = [Race(client, twitter, due) for _ in range(AT_ONCE)]
        lead = max(LEAD, 2 * (time.monotonic() - begun))
        runners = [
            threading.Thread(target=race.run, args=(command, contested + dice.uniform(-SPREAD, SPREAD)))
            for race in races
        ]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        # A busy machine hears commands late, an idle one at once: the next are sent where this round was undecided.
        wins = sum(race.answer.status_code == 200 for race in races)
        contested += SPREAD * (2 * wins / AT_ONCE - 1)
        won, lost = won + wins, lost + AT_ONCE - wins
        for race in races:
            assert race.answer.status_code in (200, 409, 412), race.answer.text
            accepted = race.answer.status_code == 200
            final = client.settled(race.post_id, "cancelled" if accepted and command == "cancel" else "published")
            live = [post for post in sandbox.live(twitter) if race.mark in post["text"]]
            if command == "cancel":
                assert len(live) == (0 if accepted else 1), (race.mark, final)
            elif command == "edit":
                assert [post["text"] for post in live] == [race.texts[-1] if accepted else race.texts[0]]
            else:
                (post,) = live
                promised = due + timedelta(seconds=1) if accepted else due
                assert datetime.fromisoformat(post["created_at"]) >= promised - timedelta(milliseconds=1)
    # The moment was really contested: the clock alone decided neither way every time.
    assert won, f"{lost} lost"
    assert lost, f"{won} won"
