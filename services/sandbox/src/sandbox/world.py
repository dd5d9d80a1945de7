"""The state that all simulated platforms share."""

from __future__ import annotations

from sandbox.accounts import Accounts
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.growth import Growth
from sandbox.journal import Journal
from sandbox.ledger import Ledger
from sandbox.mentions import Mentions
from sandbox.tokens import Tokens


class World:
    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.accounts = Accounts()
        self.tokens = Tokens(self.clock)
        self.ledger = Ledger()
        self.growth = Growth(self.ledger, self.accounts)
        self.mentions = Mentions()
        self.faults = Faults()
        self.journal = Journal()
