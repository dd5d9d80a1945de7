"""What became of a command that had no verdict in time."""

from datetime import timedelta

from litestar import Response, get

from gateway import views
from gateway.answers import Answer, answer
from gateway.calls import Call, made_at_ms, read
from gateway.context import Req
from gateway.policy import BASE
from gateway.problems import ProblemError

UNDECIDED_FOR = timedelta(days=1)
"""How long a command that no post knows counts as pending; after that as never given."""


@get(f"{BASE}/posts/{{post_id:str}}/commands/{{command_id:str}}")
async def get_command(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    post_id, command_id = call.path("post_id"), call.path("command_id")
    found = await call.repository.post(call.tenant_id, post_id, with_deleted=True)
    memo = None if found is None else found.remembers(command_id)
    if memo is not None:
        return answer(
            views.CommandView(
                command_id=command_id,
                post_id=post_id,
                status="accepted" if memo.refusal is None else "refused",
                reason=None
                if memo.refusal is None
                else views.RefusalView(code=memo.refusal.code, message=memo.refusal.message),
            )
        )
    now_ms = round(call.now.timestamp() * 1_000)
    made_ms = made_at_ms(command_id) if command_id.startswith("cmd_") else 0
    # A minute for gateways whose clocks are ahead.
    if not now_ms - UNDECIDED_FOR // timedelta(milliseconds=1) < made_ms <= now_ms + 60_000:
        raise ProblemError("command_not_found", f"There is no command {command_id} of {post_id}.")
    return answer(views.CommandView(command_id=command_id, post_id=post_id, status="pending", reason=None))
