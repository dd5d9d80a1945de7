"""Bodies that are too large to be held: taken as they come, and written to the object store at the same pace."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from gateway.problems import FieldError, ProblemError, invalid_content
from gateway.uploads import Uploads
from objects.recognising import ACCEPTED, HEAD, recognise
from objects.store import ObjectsUnavailableError, ObjectWriter, new_key

SLOWEST = 16_384
"""Bytes a second, on the whole, below which a body is given up."""
MAX_FIELD = 65_536
MAX_FIELDS = 10
_BOUNDARY = re.compile(r"""\bboundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)
_FIELDS = ("platform_hints", "alt_text")


class Received(Struct, frozen=True, kw_only=True):
    """A form with one file, which is in the object store already."""

    key: str
    size: int
    sha256: str
    content_type: str
    """What its bytes say."""
    filename: str | None
    fields: dict[str, list[str]]


class Paced:
    """The pieces of a body. Raises ProblemError `request_timeout` when they come too slowly."""

    def __init__(self, chunks: AsyncIterator[bytes], patience: float) -> None:
        self._chunks = chunks
        self._patience = patience
        self._begun = time.monotonic()
        self._size = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._run()

    async def _run(self) -> AsyncIterator[bytes]:
        while True:
            at_the_latest = self._begun + self._patience + self._size / SLOWEST - time.monotonic()
            try:
                async with asyncio.timeout(min(self._patience, at_the_latest)):
                    chunk = await anext(self._chunks, None)
            except TimeoutError as error:
                raise ProblemError(
                    "request_timeout", "The body comes too slowly.", headers={"Connection": "close"}
                ) from error
            if chunk is None:
                return
            self._size += len(chunk)
            if chunk:
                yield chunk


class Gate:
    """Looks at a file as it passes: what it is, and how much of it there may be."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._head = bytearray()
        self._size = 0
        self.content_type: str | None = None

    def pass_on(self, chunk: bytes) -> None:
        """Raises ProblemError `media_unsupported`, `media_too_large`."""
        self._size += len(chunk)
        if self.content_type is None:
            self._head += chunk[: HEAD - len(self._head)]
            if len(self._head) < HEAD:
                return
            self.content_type = accepted(bytes(self._head))
        limit = self._uploads.max_bytes(self.content_type)
        if self._size > limit:
            raise too_large(self.content_type, limit)

    def close(self) -> str:
        """What the whole file is. Raises ProblemError."""
        if self.content_type is None:
            self.content_type = accepted(bytes(self._head))
        return self.content_type


def accepted(head: bytes) -> str:
    """The type of a file that begins so. Raises ProblemError `media_unsupported` unless it is one we take."""
    content_type = recognise(head)
    if content_type in ACCEPTED:
        return content_type
    raise unsupported(
        FieldError(
            pointer="/file",
            rule="media.type",
            message="The file is empty." if not head else f"The file is {content_type or 'of an unknown type'}.",
            limit=list(ACCEPTED),
            actual=content_type,
            remediation=f"Send {', '.join(ACCEPTED.values())}.",
        )
    )


def unsupported(error: FieldError) -> ProblemError:
    return ProblemError("media_unsupported", error.message, errors=(error,), headers={"Connection": "close"})


def too_large(content_type: str, limit: int) -> ProblemError:
    kind = "A video" if content_type.startswith("video/") else "An image"
    return ProblemError(
        "media_too_large",
        f"{kind} may have {limit:,} bytes; this one has more.",
        errors=(FieldError(pointer="/file", rule="media.size", message="The file is too large.", limit=limit),),
        headers={"Connection": "close"},
    )


@contextmanager
def storing() -> Iterator[None]:
    """Turns the object store's failures into the problem that tells them."""
    try:
        yield
    except ObjectsUnavailableError as error:
        raise ProblemError("uploads_unavailable", "The object store does not answer.") from error


async def receive_form(
    chunks: AsyncIterator[bytes], content_type: str, uploads: Uploads, *, tenant_id: str, length: int | None
) -> Received:
    """A multipart form with one `file`, and text beside it. Raises ProblemError."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise ProblemError(
            "unsupported_media_type",
            "The body must be multipart/form-data with a boundary.",
            headers={"Accept": "multipart/form-data", "Connection": "close"},
        )
    most = max(uploads.max_image_bytes, uploads.max_video_bytes) + (MAX_FIELDS + 2) * MAX_FIELD
    if length is not None and length > most:
        raise too_large("video/mp4", uploads.max_video_bytes)
    form = _Form(uploads, tenant_id)
    try:
        with PushMultipartParser(
            found[1] or found[2], max_segment_count=MAX_FIELDS, max_header_size=8_192, strict=False
        ) as parser:
            async for chunk in Paced(chunks, uploads.body_timeout):
                for event in parser.parse(chunk):
                    await form.take(event)
    except MultipartError as error:
        raise _bad_form(f"The form cannot be read: {str(error)[:200]}.") from error
    except UnicodeDecodeError as error:
        raise _bad_form("A field is not UTF-8.") from error
    return form.received()


class _Form:
    """Takes a form apart as it comes: the file goes to the object store, the rest is kept."""

    def __init__(self, uploads: Uploads, tenant_id: str) -> None:
        self._uploads = uploads
        self._tenant_id = tenant_id
        self._segment: MultipartSegment | None = None
        self._text = bytearray()
        self._fields: dict[str, list[str]] = {}
        self._gate = Gate(uploads)
        self._writer: ObjectWriter | None = None
        self._filename: str | None = None
        self._is_whole = False

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        match event:
            case MultipartSegment():
                self._begin(event)
            case None:
                await self._end()
            case chunk if self._is_file():
                self._gate.pass_on(bytes(chunk))
                if self._writer is not None:
                    with storing():
                        await self._writer.write(bytes(chunk))
            case chunk:
                self._text += chunk
                if len(self._text) > MAX_FIELD:
                    raise _bad_form(f"A field has more than {MAX_FIELD:,} bytes.")

    def received(self) -> Received:
        """Raises ProblemError when there was no file."""
        if self._writer is None or not self._is_whole:
            raise invalid_content(
                FieldError(
                    pointer="/file",
                    rule="body.missing_field",
                    message="There is no file in the form.",
                    remediation="Send the file as the form's field `file`.",
                )
            )
        return Received(
            key=self._writer.key,
            size=self._writer.size,
            sha256=self._writer.sha256,
            content_type=self._gate.close(),
            filename=self._filename,
            fields=self._fields,
        )

    def _is_file(self) -> bool:
        return self._segment is not None and self._segment.name == "file"

    def _begin(self, segment: MultipartSegment) -> None:
        self._segment = segment
        self._text.clear()
        if segment.name == "file":
            if self._writer is not None:
                raise _bad_form("There are two files in the form; one is sent at a time.")
            self._filename = clean_name(segment.filename)
            with storing():
                self._writer = self._uploads.objects.writer(new_key(self._tenant_id, "incoming"))
        elif segment.name not in _FIELDS:
            raise invalid_content(
                FieldError(
                    pointer=f"/{segment.name[:100]}",
                    rule="body.unknown_field",
                    message=f"There is no field {segment.name[:100]!r}.",
                    limit=["file", *_FIELDS],
                )
            )

    async def _end(self) -> None:
        if self._is_file() and self._writer is not None:
            self._gate.close()
            with storing():
                await self._writer.close()
            self._is_whole = True
        elif self._segment is not None:
            self._fields.setdefault(self._segment.name, []).append(self._text.decode())


def clean_name(name: str | None) -> str | None:
    """The last part of a path, in printable characters. It is shown, and never used as a path."""
    if name is None:
        return None
    last = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in last if each.isprintable())[:200].strip(". ") or None


def _bad_form(message: str) -> ProblemError:
    problem = invalid_content(FieldError(pointer="", rule="body.multipart", message=message))
    problem.headers["Connection"] = "close"
    return problem
