"""Two tenants in one house: the gateway, the webhooks service and the connecting part of the publisher as they are, in
this process and around one real store. Only the log is none: it takes every command and decides nothing.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from chassis.sealing import Keyring
from chassis.store import Document
from contracts.accounts import Account
from contracts.analytics import AccountMetrics, DayEntry, PostMetrics, Reading
from contracts.content import Content, Failure, Media
from contracts.endpoints import Endpoint, SigningKey
from contracts.ids import new_id, sibling
from contracts.media import MediaAsset
from contracts.messages import Command, encode
from contracts.posts import Post, Target
from contracts.topics import PUBLIC_TOPICS
from contracts.verdicts import Verdict
from eventlog.chain import Memo, Stored
from eventlog.documents import to_document
from gateway import examples, media_examples
from gateway.app import create_app
from gateway.auth import TokenVerifier
from gateway.calls import Gateway
from gateway.connections import HttpPublisher, Redirects
from gateway.dispatch import Dispatcher
from gateway.feed import MongoFeed as ReadFeed
from gateway.feed import Streams
from gateway.idempotency import Idempotency, MongoRecords
from gateway.insights import MongoInsights
from gateway.posting_weeks import PostingWeeks
from gateway.repository import MongoRepository
from gateway.settings import Settings
from gateway.uploads import MongoMedia, Session, Uploads
from gateway.webhooks import HttpWebhooks
from guarded.urls import ForbiddenUrlError
from media.domain.asset import MediaAggregate
from objects.signing import Signer
from objects.store import Objects
from platforms import rollups
from posts.domain.post import PostAggregate
from publisher.adapters.account_log import AccountLog
from publisher.adapters.attempts import Attempt, Attempts, Selection
from publisher.adapters.renewal import FreshTokens
from publisher.adapters.vault import Vault
from publisher.connecting import Connecting
from publisher.domain.account import AccountAggregate
from publisher.entrypoints import internal as publisher_internal
from webhooks.adapters.deliveries import MongoDeliveries
from webhooks.adapters.endpoints import EndpointLog, MongoEndpoints
from webhooks.adapters.feed import MongoFeed
from webhooks.adapters.keys import MongoSigners
from webhooks.domain.endpoint import EndpointAggregate
from webhooks.entrypoints import internal as webhooks_internal
from webhooks.managing import Managing
from webhooks.ports import NewDelivery, PublicEvent

ISSUER, AUDIENCE = "https://issuer.example", "social-publishing-api"
SECRET = "s" * 43
CALLED_BACK = "https://app.example/callback"


class Silence:
    """A log that takes every command and decides none."""

    partition = 0

    def __init__(self) -> None:
        self.sent: list[tuple[str, Command, str | None]] = []
        """Key, command, tenant."""

    def reachable(self) -> bool:
        return True

    def alive(self) -> bool:
        return True

    def expect(self, command_id: str) -> asyncio.Future[Verdict]:
        return asyncio.get_running_loop().create_future()

    def forget(self, command_id: str) -> None:
        pass

    async def send(self, topic: str, key: str, command: Command, **more: Any) -> None:
        self.sent.append((key, command, more["tenant_id"]))

    async def read(self, topic: str, partition: int, offsets: Any) -> list[Any]:
        return []


class NoNetwork:
    async def examine(self, url: str) -> None:
        raise ForbiddenUrlError(f"{url} is not called from here")


class _Webhooks(HttpWebhooks):
    def __init__(self, app: Any) -> None:
        super().__init__("http://webhooks", SECRET)
        self._http = _inside(app, self._http)


class _Publisher(HttpPublisher):
    def __init__(self, app: Any) -> None:
        super().__init__("http://publisher", SECRET)
        self._http = _inside(app, self._http)


def _inside(app: Any, outside: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client, without a network between."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=outside.base_url, headers=outside.headers, timeout=None
    )


@dataclass
class Belongings:
    """The ids of what a tenant has, by what they are ids of."""

    tenant_id: str
    canary: str
    """A word that stands in all of it, and in nothing else."""
    ids: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, *ids: str) -> None:
        self.ids.setdefault(kind, []).extend(ids)


class House:
    def __init__(self, database: AsyncDatabase[Document], folder: Path) -> None:
        self.database = database
        self.log = Silence()
        self._keyring = Keyring("k1", {"k1": os.urandom(32)})
        self._key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
        self._tokens: dict[tuple[str, str], str] = {}
        self._signers = MongoSigners(database, self._keyring)
        self._deliveries = MongoDeliveries(database)
        self._feed = MongoFeed(database)
        self._attempts = Attempts(database, self._keyring)
        self._media = MongoMedia(database)
        self.verifier = TokenVerifier(self, issuer=ISSUER, audience=AUDIENCE)
        insights = MongoInsights(database)
        plenty = 1_000_000
        settings = Settings(
            kafka_bootstrap="-",
            mongodb_uri="-",
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
            jwt_keys_file=Path("-"),
            reads_per_second=plenty,
            writes_per_second=plenty,
        )
        self.app = create_app(
            Gateway(
                dispatcher=Dispatcher(
                    self.log, self.log, verdict_timeout=0.001, max_in_flight=plenty, now=lambda: datetime.now(UTC)
                ),
                repository=MongoRepository(database),
                idempotency=Idempotency(MongoRecords(database)),
                history=self.log,
                publisher=_Publisher(publisher_internal.create_app(self._connecting(), secret=SECRET)),
                redirects=Redirects([CALLED_BACK], "https://api.example"),
                insights=insights,
                weeks=PostingWeeks(insights),
                refresh_every=timedelta(),
                uploads=Uploads(
                    objects=Objects.at(folder.as_uri()),
                    signer=Signer([b"k" * 32], base_url="https://api.example"),
                    repository=self._media,
                    max_image_bytes=plenty,
                    max_video_bytes=plenty,
                    url_lifetime=timedelta(hours=1),
                    image_patience=0.0,
                    video_patience=0.0,
                    body_timeout=30.0,
                ),
                webhooks=_Webhooks(webhooks_internal.create_app(self._managing(), secret=SECRET)),
                feed=ReadFeed(database),
                streams=Streams(most=plenty, most_of_tenant=plenty, seconds=0.02, poll=0.005),
                now=lambda: datetime.now(UTC),
            ),
            verifier=self.verifier,
            settings=settings,
        )

    def _connecting(self) -> Connecting:
        vault = Vault(self.database, self._keyring)
        return Connecting(
            providers={},
            attempts=self._attempts,
            vault=vault,
            tokens=FreshTokens(vault, {}),
            accounts=AccountLog(self.database, self.log),
        )

    def _managing(self) -> Managing:
        return Managing(
            endpoints=MongoEndpoints(self.database, self._signers, now=lambda: datetime.now(UTC)),
            signers=self._signers,
            deliveries=self._deliveries,
            feed=self._feed,
            endpoint_log=EndpointLog(self.log, self.log),
            urls=NoNetwork(),
            partition_of=lambda _: 0,
            most_endpoints=10,
            now=lambda: datetime.now(UTC),
            notice=lambda _: True,
        )

    async def load(self) -> bytes:
        """The keys, as a `gateway.auth.KeySource`."""
        return msgspec.json.encode({"keys": [self._key.as_dict(private=False)]})

    def token(self, tenant_id: str, role: str) -> str:
        known = self._tokens.get((tenant_id, role))
        if known is None:
            now = int(time.time())
            claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user_001", "iat": now, "exp": now + 86_400}
            known = jwt.encode(
                {"alg": "ES256", "typ": "at+jwt", "kid": "k1"},
                {**claims, "tenant_id": tenant_id, "roles": [role]},
                self._key,
            )
            self._tokens[tenant_id, role] = known
        return known

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),  # type: ignore[arg-type]
            base_url="http://gateway",
            timeout=None,
        )

    # --- what the tenants have ------------------------------------------------------------------------

    async def furnish(self, tenant_id: str) -> Belongings:
        """Some of everything there is."""
        await self.verifier.load()
        own = Belongings(tenant_id=tenant_id, canary=f"canary-{new_id('word')[5:]}")
        await self._accounts(own)
        await self._uploads(own)
        await self._posts(own)
        await self._figures(own)
        await self._endpoints(own)
        await self._connections(own)
        return own

    async def _accounts(self, own: Belongings) -> None:
        for platform in ("twitter", "linkedin"):
            account = Account(
                account_id=new_id("acc"),
                tenant_id=own.tenant_id,
                platform=platform,
                platform_user_id=own.canary,
                username=own.canary,
                display_name=own.canary,
                account_type="personal",
                connected_at=datetime.now(UTC),
                followers=1_000,
            )
            await self._insert(AccountAggregate(), account.account_id, account)
            own.add("account", account.account_id)
        gone = replace(account, account_id=new_id("acc"), status="disconnected")
        await self._insert(AccountAggregate(), gone.account_id, gone)
        own.add("account", gone.account_id)

    async def _uploads(self, own: Belongings) -> None:
        ready = replace(
            media_examples._ASSET,
            tenant_id=own.tenant_id,
            filename=own.canary,
            alt_text=own.canary,
            created_at=datetime.now(UTC),
            variants=(media_examples._VARIANT,),
        )
        failure = Failure(code="media_unsupported", message=own.canary)
        for asset in (
            ready,
            replace(ready, status="processing", type=None, original=None, small=None, medium=None, variants=()),
            replace(ready, status="rejected", failure=failure, original=None, small=None, medium=None, variants=()),
            replace(ready, deleted_at=datetime.now(UTC)),
        ):
            made: MediaAsset = replace(asset, media_id=new_id("media"))
            await self._insert(MediaAggregate(), made.media_id, made)
            own.add("media", made.media_id)
            progress: Document = {"_id": made.media_id, "tenant_id": own.tenant_id, "fraction": 0.5}
            await self.database["media_progress"].insert_one(progress)
        for offset in (0, 100):
            upload = Session(
                id=new_id("upload"),
                tenant_id=own.tenant_id,
                subject="user_001",
                length=100,
                offset=offset,
                filename=own.canary,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
            await self._media.begin(upload)
            own.add("upload", upload.id)

    async def _posts(self, own: Belongings) -> None:
        account_id, media_id = own.ids["account"][0], own.ids["media"][0]
        target = Target(platform="twitter", account_id=account_id, username=own.canary)
        live = replace(target, status="published", platform_post_id="1", url=f"https://x.com/{own.canary}")
        content = Content(text=own.canary, media=(Media(type="image", media_id=media_id),))
        scheduled = replace(
            examples.SCHEDULED,
            tenant_id=own.tenant_id,
            title=own.canary,
            parts=(content,),
            platforms=("twitter",),
            accounts={"twitter": account_id},
            targets=(target,),
            tags=("tag",),
            campaign_id="campaign",
        )
        made: list[Post] = [
            scheduled,
            replace(scheduled, status="draft", schedule=None, targets=()),
            replace(scheduled, status="publishing", targets=(replace(target, status="publishing"),)),
            replace(scheduled, status="publishing", targets=(replace(target, status="held"),)),
            replace(scheduled, status="published", targets=(live,)),
            replace(scheduled, status="failed", targets=(replace(target, status="failed"),)),
            replace(scheduled, status="cancelled"),
            replace(scheduled, kind="thread", parts=(content, content)),
            replace(scheduled, status="draft", deleted=True),
        ]
        for index, post in enumerate(made):
            post_id, command_id = new_id("post"), new_id("cmd")
            named = replace(post, post_id=post_id, created_at=datetime.now(UTC) - timedelta(minutes=index))
            await self._insert(PostAggregate(), post_id, named, Memo(command_id=command_id, version=1))
            own.add("post", post_id)
            own.add("publish", sibling("pub", post_id))
            own.add("thread", sibling("thread", post_id))
            own.add("command", command_id)
        own.add("target", target.target_id)

    async def _figures(self, own: Belongings) -> None:
        now, account_id = datetime.now(UTC), own.ids["account"][0]
        reading = Reading(at=now, sample_id="s", counters={"like_count": 7})
        entries = {}
        for post_id in own.ids["post"]:
            metrics = PostMetrics(
                tenant_id=own.tenant_id,
                account_id=account_id,
                platform="twitter",
                post_id=post_id,
                target_id=own.ids["target"][0],
                published_at=now,
                readings=(reading,),
                problem=Failure(code="x", message=own.canary),
            )
            common = {"tenant_id": own.tenant_id, "account_id": account_id, "platform": "twitter"}
            await self.database["analytics_posts"].insert_one(
                {"_id": new_id("m"), "position": 1, "post_id": post_id, "state": encode(metrics), **common}
            )
            plan = {
                "_id": new_id("plan"),
                "post_id": post_id,
                "target_id": own.ids["target"][0],
                "due_at": now,
                "requested_at": None,
                **common,
            }
            await self.database["analytics_plans"].insert_one(plan)
            entries[post_id] = DayEntry(
                post_id=post_id,
                target_id=own.ids["target"][0],
                published_at=now,
                content_type="text",
                impressions=100,
                engagements=10,
                observed_at=now,
            )
        summary = rollups.summary(list(entries.values()))
        day = f"{now:%Y-%m-%d}"
        whose = {"_id": f"{account_id}|{day}", "position": 1, "day": day, **common}
        await self.database["analytics_days"].insert_one({**whose, "summary": encode(summary)})
        await self.database["analytics_day_posts"].insert_one({**whose, "state": encode(entries)})
        facts = AccountMetrics(
            tenant_id=own.tenant_id,
            account_id=account_id,
            platform="twitter",
            followers_problem=Failure(code="x", message=own.canary),
        )
        await self.database["analytics_accounts"].insert_one(
            {"_id": account_id, "position": 1, **common, "facts": encode(facts), "state": encode(facts)}
        )

    async def _endpoints(self, own: Belongings) -> None:
        now = datetime.now(UTC)
        for status in ("enabled", "disabled", "deleted"):
            endpoint_id, key_id = new_id("ep"), new_id("key")
            signer = await self._signers.ensure(own.tenant_id, endpoint_id, key_id, now)
            endpoint = Endpoint(
                endpoint_id=endpoint_id,
                tenant_id=own.tenant_id,
                url=f"https://{own.canary}.example/hook",
                description=own.canary,
                event_types=(),
                fifo=False,
                rate_per_second=None,
                max_in_flight=8,
                keys=(SigningKey(key_id=key_id, public_key=signer.public_key, created_at=now),),
                status=status,
                enabled_at=now,
                created_by="user_001",
                created_at=now,
                updated_at=now,
            )
            await self._insert(EndpointAggregate(), endpoint_id, endpoint)
            own.add("webhook", endpoint_id)
            new = [
                NewDelivery(
                    id=new_id("msg"),
                    tenant_id=own.tenant_id,
                    endpoint_id=endpoint_id,
                    partition=0,
                    event_id=new_id("evt"),
                    event_type=PUBLIC_TOPICS[0],
                    event_time=now,
                    data=msgspec.json.encode({"title": own.canary}),
                    created_at=now,
                )
                for _ in range(3)
            ]
            await self._deliveries.add(new)
            own.add("delivery", *(each.id for each in new))
        events = [
            PublicEvent(
                id=new_id("evt"),
                type=PUBLIC_TOPICS[0],
                tenant_id=own.tenant_id,
                subject=own.ids["post"][0],
                time=now,
                data=msgspec.json.encode({"title": own.canary}),
            )
            for _ in range(5)
        ]
        await self._feed.add(events, now)
        own.add("event", *(event.id for event in events))

    async def _connections(self, own: Belongings) -> None:
        for hosted in (False, True):
            state, token = new_id("state"), new_id("selection")
            await self._attempts.add(
                state,
                Attempt(
                    tenant_id=own.tenant_id,
                    user="user_001",
                    platform="twitter",
                    login=None,
                    redirect_uri=CALLED_BACK,
                    hosted=hosted,
                    return_to=None,
                    verifier=own.canary,
                ),
            )
            await self._attempts.add_selection(
                token,
                Selection(
                    tenant_id=own.tenant_id,
                    user="user_001",
                    platform="twitter",
                    login=None,
                    hosted=hosted,
                    return_to=None,
                    missing=(),
                    found=(),
                ),
            )
            if not hosted:  # what belongs to the hosted page is known to nobody but the browser it was given to
                own.add("state", state)
                own.add("selection", token)

    async def _insert(self, aggregate: Any, aggregate_id: str, state: Any, *memo: Memo) -> None:
        stored = Stored(aggregate_id=aggregate_id, version=1, event_id="e", state=state, memo=memo, log=(7,))
        await self.database[aggregate.name].insert_one(to_document(aggregate, 0, stored))

    async def documents_of(self, own: Belongings) -> dict[str, dict[Any, Document]]:
        """Everything of a tenant, by collection and id."""
        found = {}
        for name in sorted(await self.database.list_collection_names()):
            query = {"tenant_id": own.tenant_id}
            found[name] = {document["_id"]: document async for document in self.database[name].find(query)}
        return {name: documents for name, documents in found.items() if documents}
