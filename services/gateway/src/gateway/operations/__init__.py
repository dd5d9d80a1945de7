"""The operations of the API, in the order in which they are described. `gateway.openapi` makes the document of them."""

from gateway.operations import accounts, insights, media, posts, publishing, webhooks
from gateway.operations.described import Operation

OPERATIONS: tuple[Operation, ...] = (
    *publishing.OPERATIONS,
    *posts.OPERATIONS,
    *insights.OPERATIONS,
    *media.OPERATIONS,
    *accounts.OPERATIONS,
    *webhooks.OPERATIONS,
)
