"""What all readers share: calls that only read, and what their refusals mean."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from contracts.collecting import LivePost
from contracts.content import Failure, Platform
from publisher.adapters.http import bearer, calling, json_object, quote
from publisher.collecting import Counters, NotReadError, key_of
from publisher.ports import Author

LIMIT_PAUSE = timedelta(minutes=15)
"""Where a platform does not say when its window ends."""
DENIED_PAUSE = timedelta(days=1)
"""A permission that is missing today is asked for again tomorrow: somebody may have connected the account anew."""


class Caller:
    """Reads from one host of one platform. `name` is for people."""

    def __init__(self, client: httpx.AsyncClient, platform: Platform, name: str, now: Callable[[], datetime]) -> None:
        self.platform = platform
        self.name = name
        self.now = now
        self._client = client

    async def call(self, author: Author, call: str, method: str, url: str, **content: Any) -> httpx.Response:
        """Raises NotReadError when there is no answer. Refusals are answers."""
        headers = {**bearer(author.token.reveal()), **content.pop("headers", {})}
        try:
            with calling(self.platform, call):
                return await self._client.request(method, url, headers=headers, **content)
        except httpx.HTTPError as error:
            raise NotReadError(self.unreachable(type(error).__name__)) from error

    async def read(self, author: Author, call: str, method: str, url: str, **content: Any) -> Mapping[str, Any]:
        """The body. Raises NotReadError."""
        response = await self.call(author, call, method, url, **content)
        body = json_object(response)
        if response.is_success and body is not None:
            return body
        raise self.refused(response)

    def refused(self, response: httpx.Response) -> NotReadError:
        match response.status_code:
            case 401:
                return NotReadError(
                    self.failure("token_refused", "does not accept the account's token.", response, retryable=True)
                )
            case 402:
                return self.limited(response, self.now() + DENIED_PAUSE)
            case 403:
                return self.denied(response)
            case 404:
                return NotReadError(self.failure("gone", "does not have it any more.", response), gone=True)
            case 429:
                return self.limited(response, self._reset(response))
            case status if status >= 500:
                return NotReadError(self.unreachable(quote(response)))
            case _:
                return NotReadError(self.failure("not_readable", "does not tell.", response))

    def denied(self, response: httpx.Response) -> NotReadError:
        failure = self.failure(
            "permission_missing",
            "does not let the app read this.",
            response,
            remediation="Connect the account again with the permission to read analytics.",
        )
        return NotReadError(failure, retry_at=self.now() + DENIED_PAUSE)

    def limited(self, response: httpx.Response, until: datetime) -> NotReadError:
        failure = self.failure("rate_limited", "lets no more be read for now.", response, retryable=True)
        return NotReadError(failure, retry_at=until)

    def unreachable(self, cause: str) -> Failure:
        return Failure(
            code="platform_unreachable",
            message=f"{self.name} cannot be reached.",
            platform_error=cause,
            retryable=True,
        )

    def failure(self, code: str, words: str, response: httpx.Response, **more: Any) -> Failure:
        return Failure(code=code, message=f"{self.name} {words}", platform_error=quote(response), **more)

    def gone(self) -> NotReadError:
        return NotReadError(Failure(code="gone", message=f"{self.name} does not have the post any more."), gone=True)

    def _reset(self, response: httpx.Response) -> datetime:
        now = self.now()
        told = response.headers.get("x-rate-limit-reset", "")
        if told.isdigit():
            return max(now, datetime.fromtimestamp(int(told), UTC))
        after = response.headers.get("retry-after", "")
        return now + (timedelta(seconds=int(after)) if after.isdigit() else LIMIT_PAUSE)


def not_offered(name: str, what: str) -> NotReadError:
    """The platform has no such call."""
    return NotReadError(Failure(code="not_offered", message=f"{name} does not tell {what}."), gone=True)


def added(
    posts: Sequence[LivePost], by_platform_id: Mapping[str, Counters | NotReadError]
) -> dict[str, Counters | NotReadError]:
    """By target: the counters of its parts, added. A part that is gone is left out; another failure fails the whole."""
    found: dict[str, Counters | NotReadError] = {}
    for post in posts:
        parts = [by_platform_id[id_] for id_ in post.platform_post_ids if id_ in by_platform_id]
        failures = [part for part in parts if isinstance(part, NotReadError)]
        told = [part for part in parts if not isinstance(part, NotReadError)]
        lasting = [failure for failure in failures if not failure.gone]
        if lasting or (failures and not told):
            found[key_of(post)] = (lasting or failures)[0]
        elif told:
            found[key_of(post)] = {
                name: sum(part.get(name, 0) for part in told)
                for name in dict.fromkeys(n for part in told for n in part)
            }
    return found


def ids_of(posts: Sequence[LivePost]) -> list[str]:
    return list(dict.fromkeys(id_ for post in posts for id_ in post.platform_post_ids))


def counted(values: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The counters under our name for each, the first of its spellings that is there. Numbers may come as text."""
    found: dict[str, int] = {}
    for name, spellings in names.items():
        for spelling in spellings:
            value = values.get(spelling)
            if isinstance(value, int) or (isinstance(value, str) and value.lstrip("-").isdigit()):
                found[name] = int(value)
                break
    return found


def same(*names: str) -> dict[str, tuple[str, ...]]:
    """Counters that have one spelling."""
    return {name: (name,) for name in names}
