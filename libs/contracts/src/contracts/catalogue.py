"""Every message of this system: what is documented, frozen and given examples."""

from contracts import accounts, collecting, endpoints, media, messages, posts, public_events, publishing, verdicts
from contracts.messages import Message

MODULES = (accounts, collecting, endpoints, media, posts, public_events, publishing, verdicts)


def registry() -> dict[str, type[Message]]:
    """By type name. Messages that somebody registers elsewhere, as tests do, are not among them."""
    ours = {module.__name__ for module in MODULES}
    return {name: kind for name, kind in messages.registry().items() if kind.__module__ in ours}
