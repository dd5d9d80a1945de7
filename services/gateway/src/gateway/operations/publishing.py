"""Publishing at once or at a time."""

from gateway import views
from gateway.operations.described import COMMAND, PATIENCE, READ, RESOLVE, Operation
from gateway.policy import BASE
from gateway.requests import PublishBody

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{BASE}/publish",
        id="publish",
        tag="Publishing",
        summary="Publish Content",
        description="Publishes content to one or more accounts, at once or at `publish_at`. Everything that can be "
        "checked is checked now, so that nothing fails later for a reason known today." + PATIENCE,
        body=(PublishBody,),
        status=201,
        answer=views.PublicationView,
        problems=(*COMMAND, *RESOLVE),
        may_be_pending=True,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/publish/{{publish_id}}",
        id="getPublication",
        tag="Publishing",
        summary="Get Publication",
        description="How far a publication has got on each account.",
        status=200,
        answer=views.PublicationView,
        problems=(*READ, "post_not_found"),
    ),
)
