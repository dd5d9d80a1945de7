"""Connected accounts."""

from gateway import views
from gateway.entrypoints.accounts import AccountsQuery
from gateway.entrypoints.connecting import CompleteBody, ConnectBody, SelectBody
from gateway.operations.described import BODY, PUBLISHER, READ, SIMPLE_BODY, Operation
from gateway.policy import BASE

OPERATIONS = (
    Operation(
        method="GET",
        path=f"{BASE}/accounts",
        id="listAccounts",
        tag="Connected Accounts",
        summary="List Connected Accounts",
        query=AccountsQuery,
        status=200,
        answer=views.AccountList,
        problems=(*READ, "invalid_parameter"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect",
        id="connectAccount",
        tag="Connected Accounts",
        summary="Connect Account",
        description="Send the person to `authorization_url`. With a `redirect_uri` of your own, which the operator has "
        "listed, they come back there with `state` and `code`, or an `error`: complete the connection within "
        "`expires_in` seconds, as the same user who began it, and make sure that the person is that user. Without one "
        "they come back to a page of this API, which asks them to confirm, and may then lead to `return_to`. "
        "Connecting an account again renews its authorization and keeps its id.",
        body=(ConnectBody,),
        status=200,
        answer=views.ConnectionBegunView,
        problems=(*SIMPLE_BODY, "platform_not_configured", "redirect_not_allowed", "connecting_unavailable"),
        takes_key=False,
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect/complete",
        id="completeConnection",
        tag="Connected Accounts",
        summary="Complete Connection",
        description="Exchanges what the platform gave to your redirect URI. Works once. When the login may act for "
        "several accounts the answer is `selection_required`, with the choices.",
        body=(CompleteBody,),
        status=200,
        answer=views.ConnectionView,
        problems=(
            *BODY,
            "platform_not_configured",
            "invalid_state",
            "authorization_denied",
            "authorization_failed",
            "permissions_missing",
            "nothing_to_connect",
            "account_mismatch",
            *PUBLISHER,
        ),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/connect/select",
        id="selectConnection",
        tag="Connected Accounts",
        summary="Select Account",
        description="Connects one of the choices that completing has answered.",
        body=(SelectBody,),
        status=200,
        answer=views.ConnectionView,
        problems=(
            *BODY,
            "platform_not_configured",
            "invalid_selection",
            "invalid_choice",
            "account_mismatch",
            *PUBLISHER,
        ),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/accounts/{{account_id}}",
        id="getAccount",
        tag="Connected Accounts",
        summary="Get Connected Account",
        description="With the health of its authorization.",
        status=200,
        answer=views.AccountDetailView,
        problems=(*READ, "account_not_found"),
    ),
    Operation(
        method="DELETE",
        path=f"{BASE}/accounts/{{account_id}}",
        id="disconnectAccount",
        tag="Connected Accounts",
        summary="Disconnect Account",
        description="Ends the connection and forgets its tokens; they are revoked at the platform where it has a call "
        "for that and nothing else that is connected depends on them, else `notice` says what can be done there. "
        "Posts that are to go out on this account fail.",
        status=200,
        answer=views.DisconnectionView,
        problems=(*BODY, "account_not_found", "already_disconnected", *PUBLISHER),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/accounts/{{account_id}}/refresh",
        id="refreshAccount",
        tag="Connected Accounts",
        summary="Refresh Profile",
        description="Reads the account's name, picture and followers from the platform again.",
        status=200,
        answer=views.AccountDetailView,
        problems=(
            *BODY,
            "platform_not_configured",
            "account_disconnected",
            "account_not_found",
            "account_mismatch",
            *PUBLISHER,
        ),
    ),
)
