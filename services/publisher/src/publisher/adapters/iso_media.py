"""What an MP4 or QuickTime file says of itself (ISO/IEC 14496-12)."""

import os
import struct
from typing import IO


def duration_of(file: IO[bytes]) -> float | None:
    """Seconds, from the movie's header; None when there is none. Leaves the file at its beginning."""
    end = file.seek(0, os.SEEK_END)
    try:
        movie = _find(file, b"moov", 0, end)
        header = None if movie is None else _find(file, b"mvhd", *movie)
        if header is None:
            return None
        file.seek(header[0])
        head = file.read(32)
        long = head[:1] == b"\1"
        scale, units = struct.unpack_from(">IQ" if long else ">II", head, 20 if long else 12)
        return float(units / scale) if scale else None
    except struct.error:
        return None
    finally:
        file.seek(0)


def _find(file: IO[bytes], kind: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the payload of the first box of this kind begins and ends. Raises struct.error for a broken file."""
    while start + 8 <= end:
        file.seek(start)
        size, found = struct.unpack(">I4s", file.read(8))
        payload = start + 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            payload += 8
        elif size == 0:
            size = end - start
        if start + size < payload:
            return None
        if found == kind:
            return payload, min(end, start + size)
        start += size
    return None
