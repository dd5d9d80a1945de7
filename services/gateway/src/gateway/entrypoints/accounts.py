"""The accounts a tenant has connected."""

from litestar import Response, delete, get, post
from msgspec import Struct

from contracts import connections
from contracts.accounts import Account, AccountStatus
from contracts.connections import AccountCall, AccountDisconnection, AccountHealth
from contracts.content import Platform
from contracts.ids import new_id
from gateway import views
from gateway.answers import Answer, answer
from gateway.calls import Call, Write, read, write
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError


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


@get(f"{BASE}/accounts/{{account_id:str}}")
async def get_account(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    account = await _own(call)
    return answer(views.account_detail(account, await _health(call, account)))


async def _health(call: Call, account: Account) -> AccountHealth | None:
    """None also when it cannot be found out: what is known of the account is worth answering."""
    if account.status != "connected":
        return None
    try:
        return await call.gateway.publisher.call(
            connections.HEALTH, _named(call, account.account_id, new_id("cmd")), AccountHealth
        )
    except ProblemError:
        return None


@delete(f"{BASE}/accounts/{{account_id:str}}", status_code=200)
async def disconnect_account(request: Req) -> Response[bytes]:
    return await write(request, _disconnect)


async def _disconnect(call: Write) -> Answer:
    account = await _own(call)
    done = await call.gateway.publisher.call(
        connections.DISCONNECT, _named(call, account.account_id, call.command_id), AccountDisconnection
    )
    return answer(views.disconnection(done))


@post(f"{BASE}/accounts/{{account_id:str}}/refresh", status_code=200)
async def refresh_account(request: Req) -> Response[bytes]:
    return await write(request, _refresh)


async def _refresh(call: Write) -> Answer:
    account = await _own(call)
    named = _named(call, account.account_id, call.command_id)
    fresh = await call.gateway.publisher.call(connections.REFRESH, named, Account)
    return answer(views.account_detail(fresh, await _health(call, fresh)))


async def _own(call: Call) -> Account:
    """The account in the path. Raises ProblemError when this tenant has none of that id."""
    account_id = call.path("account_id")
    own = await call.repository.accounts(call.tenant_id)
    found = next((account for account in own if account.account_id == account_id), None)
    if found is None:
        raise ProblemError("account_not_found", f"There is no account {account_id}.")
    return found


def _named(call: Call, account_id: str, command_id: str) -> AccountCall:
    return AccountCall(
        tenant_id=call.tenant_id, account_id=account_id, actor=call.principal.subject, command_id=command_id
    )
