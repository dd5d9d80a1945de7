"""The accounts a tenant has connected."""

from litestar import Response, get
from msgspec import Struct

from contracts.accounts import AccountStatus
from contracts.content import Platform
from gateway import views
from gateway.answers import Answer, answer
from gateway.calls import Call, read
from gateway.context import Req
from gateway.policy import BASE


class AccountsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    platform: Platform | None = None
    status: AccountStatus | None = None


@get(f"{BASE}/accounts")
async def list_accounts(request: Req) -> Response[bytes]:
    return await read(request, _list)


async def _list(call: Call) -> Answer:
    query = call.query(AccountsQuery)
    platforms = None if query.platform is None else [query.platform]
    found = await call.repository.accounts(call.tenant_id, platforms, query.status)
    return answer(views.AccountList(accounts=tuple(views.account(account) for account in found)))
