"""Posts of others that mention an account, as Facebook and Instagram show them."""

from __future__ import annotations

from sandbox.mentions import Heard
from sandbox.meta.graph import Json, graph_time


def tagged(heard: Heard) -> Json:
    """On ``/{page-id}/tagged``."""
    return {
        "id": str(heard.id),
        "message": heard.text,
        "created_time": graph_time(heard.at),
        "permalink_url": f"https://www.facebook.com/{heard.id}",
        "from": {"id": str(heard.id % 10**9), "name": heard.author},
    }


def tag(heard: Heard) -> Json:
    """On ``/{ig-id}/tags``."""
    return {
        "id": str(heard.id),
        "caption": heard.text,
        "timestamp": graph_time(heard.at),
        "permalink": f"https://www.instagram.com/p/{heard.id}/",
        "username": heard.author,
    }
