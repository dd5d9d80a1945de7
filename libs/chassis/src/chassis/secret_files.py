"""Secrets come in files, never in the environment, which children inherit and tools print."""

from pathlib import Path


class SecretFileError(Exception):
    """A file with a secret cannot be read, or is empty."""


def read_secret(path: Path) -> str:
    """What the file holds, without the white space around it. Raises SecretFileError."""
    try:
        secret = path.read_text().strip()
    except OSError as error:
        raise SecretFileError(f"{path}: {error.strerror}") from None
    if not secret:
        raise SecretFileError(f"{path} is empty")
    return secret
