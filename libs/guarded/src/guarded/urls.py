"""What a URL from a user may look like. Where its name leads is decided when it is called."""

from urllib.parse import quote, urlsplit

import idna
from msgspec import Struct

from guarded import addresses

LONGEST = 2_048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "onion", "test")
_PATH = "/%:@!$&'()*+,;=~-._"


class Rules(Struct, frozen=True, kw_only=True):
    """What may be called. `allow_private` is for development only: then any address and any port will do."""

    schemes: tuple[str, ...] = ("https",)
    ports: tuple[int, ...] = (443, 8443)
    allow_private: bool = False


PUBLIC_HTTPS = Rules()
PUBLIC_WEB = Rules(schemes=("https", "http"), ports=(443, 8443, 80, 8080))
ANYWHERE = Rules(schemes=("https", "http"), allow_private=True)


class ForbiddenUrlError(Exception):
    """The URL may not be called, whatever happens: it must be changed. Says why, in words for its owner."""


class Target(Struct, frozen=True, kw_only=True):
    """A URL that was checked, in its one normal form."""

    url: str
    scheme: str
    host: str
    """A name in ASCII, or an address; IPv6 without brackets."""
    port: int


def check(text: str, rules: Rules = PUBLIC_HTTPS) -> Target:
    """Raises ForbiddenUrlError."""
    if len(text) > LONGEST:
        raise ForbiddenUrlError(f"A URL has at most {LONGEST:,} characters.")
    if any(character <= " " or character in '\\"<>^`{|}' or character == "\x7f" for character in text):
        raise ForbiddenUrlError("A URL holds no spaces, control characters or backslashes.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ForbiddenUrlError("This is not a URL.") from error
    if parts.scheme not in rules.schemes:
        raise ForbiddenUrlError(f"A URL begins with {' or '.join(f'{scheme}://' for scheme in rules.schemes)} here.")
    if "@" in parts.netloc:
        raise ForbiddenUrlError("A URL must not hold a user name or password.")
    if "#" in text:
        raise ForbiddenUrlError("A URL to be called has no fragment.")
    if parts.netloc.endswith(":"):
        raise ForbiddenUrlError("The port is missing after the colon.")
    host = _host(parts.hostname or "", rules, bracketed="[" in parts.netloc)
    default = _DEFAULT_PORTS[parts.scheme]
    port = default if port is None else port
    if port == 0 or (port not in rules.ports and not rules.allow_private):
        raise ForbiddenUrlError(f"Port {port} is not allowed; {', '.join(map(str, rules.ports))} are.")
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == default else f"{shown}:{port}"
    query = f"?{quote(parts.query, safe=_PATH + '?')}" if parts.query else ""
    url = f"{parts.scheme}://{where}{quote(parts.path, safe=_PATH) or '/'}{query}"
    return Target(url=url, scheme=parts.scheme, host=host, port=port)


def _host(name: str, rules: Rules, *, bracketed: bool) -> str:
    if not name or "%" in name:
        raise ForbiddenUrlError("The URL names no host that could be called.")
    try:
        address = addresses.read(name)
    except ValueError:
        pass
    else:
        if not rules.allow_private and not addresses.is_public(address):
            raise ForbiddenUrlError("The URL leads to an address that is not on the public internet.")
        return str(address)
    if bracketed:
        raise ForbiddenUrlError("What is in brackets is not an IPv6 address.")
    try:
        ascii_name = idna.encode(name.removesuffix("."), uts46=True).decode()
    except idna.IDNAError as error:
        raise ForbiddenUrlError("The host name is not valid.") from error
    last = ascii_name.rpartition(".")[2]
    # Some resolvers read 2130706433, 0x7f.1 and 127.1 as addresses; a top-level domain is never a number.
    if last.isdigit() or last.startswith("0x"):
        raise ForbiddenUrlError("An IPv4 address is written as four decimal numbers.")
    is_local = "." not in ascii_name or any(
        ascii_name == local or ascii_name.endswith(f".{local}") for local in _LOCAL_NAMES
    )
    if is_local and not rules.allow_private:
        raise ForbiddenUrlError("The host name is not one of the public internet.")
    return ascii_name
