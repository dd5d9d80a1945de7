"""What has to be at the platform before a part can be sent. Pure."""

from datetime import datetime

from msgspec.structs import replace

from contracts.content import Content, Failure
from publisher.domain.answers import (
    Postponed,
)
from publisher.domain.publication import Policy, Publication, Upload, uploads_of, with_part, without_container
from publisher.domain.settling import set_back


def uploaded(entry: Publication, upload: Upload, content: Content, now: datetime, policy: Policy) -> Publication:
    """Replaces an earlier upload of the same attachment, and renews the lease."""
    kept = tuple(
        other
        for other in entry.uploads
        if (other.part, other.source, other.type, other.alt_text)
        != (upload.part, upload.source, upload.type, upload.alt_text)
    )
    entry = replace(without_container(entry, upload.part), uploads=(*kept, upload), lease_until=now + policy.lease)
    uploads = uploads_of(entry, upload.part, content)
    complete = len(uploads) == len(content.media) and all(each.ready for each in uploads)
    part = entry.parts[upload.part]
    return with_part(entry, upload.part, replace(part, step="armed" if complete else "preparing"))


def assembled(entry: Publication, container: Upload, now: datetime, policy: Policy) -> Publication:
    """Replaces what was assembled for the part before, and renews the lease."""
    entry = without_container(entry, container.part)
    return replace(entry, containers=(*entry.containers, container), lease_until=now + policy.lease)


def wait_for_media(entry: Publication, k: int, upload: Upload, now: datetime, policy: Policy) -> Publication:
    """Ends the attempt until the platform should have processed the upload."""
    failure = Failure(
        code="media_processing", message=f"The platform is still processing the {upload.type}.", retryable=True
    )
    return set_back(entry, k, Postponed(upload.check_at or now, failure), now, policy)
