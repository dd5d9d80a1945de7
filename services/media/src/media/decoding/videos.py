"""Videos: verified, cleaned without touching their pictures, shown by a poster, made fit.

FFmpeg is given an open file and the one demuxer that the first bytes call for. It opens nothing by a name: neither
playlists, nor what a file refers to.
"""

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from msgspec.structs import replace
from PIL import Image

from contracts.media import Facts, Recipe
from media.decoding import tones
from media.decoding.images import thumbnails
from media.decoding.tasks import INPUT, ORIGINAL, VARIANT, Looked, MadeOf, RefusedError, write_progress

MAX_SIDE = 8_192
MAX_SECONDS = 12 * 3_600.0
MAX_STREAMS = 16
_HDR: dict[int, tones.Transfer] = {16: "pq", 18: "hlg"}
"""Transfer characteristics by their numbers in ITU-T H.273."""
_BT709 = 1
_TABLE = "tones.cube"
_AUDIO_SPEED = 128_000
_OPTIONS = {"enable_drefs": "0", "use_absolute_path": "0", "probesize": "20000000", "protocol_whitelist": "file"}
_MUXERS = {"video/mp4": "mp4", "video/quicktime": "mov"}
_TELL_EVERY = 64


def look(folder: Path, content_type: str) -> Looked:
    """Raises RefusedError."""
    try:
        with (folder / INPUT).open("rb") as file, _opened(file) as container:
            stream = _picture(container)
            poster, facts = _first_picture(container, stream, content_type, folder)
            small, medium = thumbnails(folder, poster)
            write_progress(folder, 0.1)
        with (folder / INPUT).open("rb") as file, _opened(file) as container:
            _copy(container, folder, content_type)
    except (av.FFmpegError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise _broken(error) from error
    size = (folder / ORIGINAL).stat().st_size
    return Looked(
        asset_type="video",
        original=replace(facts, size=size),
        small=small,
        medium=medium,
    )


def make(folder: Path, recipe: Recipe) -> MadeOf:
    """Raises RefusedError."""
    try:
        with (folder / INPUT).open("rb") as file, _opened(file) as container:
            facts = _converted(container, folder, recipe)
    except (av.FFmpegError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise _broken(error) from error
    if recipe.max_bytes is not None and facts.size > recipe.max_bytes:
        raise RefusedError(
            "variant.size", "It does not become small enough.", limit=recipe.max_bytes, actual=facts.size
        )
    return MadeOf(facts=facts)


def _opened(file: Any) -> InputContainer:
    container: InputContainer = av.open(file, mode="r", format="mov", options=_OPTIONS, metadata_errors="replace")
    if len(container.streams) > MAX_STREAMS:
        raise RefusedError(
            "media.streams",
            f"There are {len(container.streams)} streams in it; {MAX_STREAMS} are allowed.",
            limit=MAX_STREAMS,
            actual=len(container.streams),
        )
    return container


def _picture(container: InputContainer) -> VideoStream:
    videos = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not len(container.streams):
        raise RefusedError("media.broken", "The file is damaged: it does not say what is in it.")
    if not videos:
        raise RefusedError("media.type", "There is no picture in the file, or none that can be decoded.")
    width, height = videos[0].width, videos[0].height
    if max(width, height) > MAX_SIDE:
        raise RefusedError(
            "media.resolution",
            f"{width}×{height} pixels; a side may have {MAX_SIDE:,}.",
            limit=MAX_SIDE,
            actual=max(width, height),
        )
    return videos[0]


def _first_picture(
    container: InputContainer, stream: VideoStream, content_type: str, folder: Path
) -> tuple[Image.Image, Facts]:
    """The poster, upright, and what is known of the video."""
    duration = _duration(container, stream)
    if duration > MAX_SECONDS:
        raise RefusedError(
            "media.duration", f"It lasts {duration:,.0f} seconds.", limit=MAX_SECONDS, actual=round(duration, 1)
        )
    stream.codec_context.thread_count = 1
    frame = _frame_near(container, stream, min(1.0, duration / 10))
    turned = frame.rotation % 180 != 0
    width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    rate = stream.average_rate or stream.guessed_rate
    audio = next((each.codec_context.name for each in container.streams.audio if each.codec_context is not None), None)
    facts = Facts(
        content_type=content_type,
        size=0,
        width=width,
        height=height,
        duration=round(duration, 3),
        frame_rate=None if not rate else round(float(rate), 3),
        video_codec=stream.codec_context.name,
        audio_codec=audio,
        is_hdr=_transfer(stream) is not None,
    )
    rotation = frame.rotation
    if steps := _in_sdr(stream, folder):
        graph = _graph(stream, [*steps, ("format", "rgb24")], folder)
        graph.vpush(frame)
        frame = graph.vpull()
    poster: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return (poster.rotate(rotation, expand=True) if rotation else poster), facts


def _transfer(stream: VideoStream) -> tones.Transfer | None:
    """How its dynamic range is encoded, if it is a high one."""
    return _HDR.get(int(stream.codec_context.color_trc))


def _duration(container: InputContainer, stream: VideoStream) -> float:
    if container.duration is not None and container.duration > 0:
        return container.duration / 1_000_000
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    raise RefusedError("media.broken", "The file is damaged: it does not say how long it lasts.")


def _frame_near(container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame:
    """The frame shown then, or the last one before; at least one must be there."""
    best: VideoFrame | None = None
    for frame in container.decode(stream):
        best = frame
        if frame.time is None or frame.time >= seconds:
            break
    if best is None:
        raise RefusedError("media.broken", "The file is damaged: no picture of it can be decoded.")
    return best


def _copy(container: InputContainer, folder: Path, content_type: str) -> None:
    """Picture and sound as they are encoded, in a new file: no places, no names, no other tracks."""
    total = max(1, (folder / INPUT).stat().st_size)
    kept = [container.streams.video[0], *container.streams.audio[:1]]
    target = folder / ORIGINAL
    with av.open(str(target), "w", format=_MUXERS[content_type], options={"movflags": "faststart"}) as output:
        outputs = {stream.index: output.add_stream_from_template(stream) for stream in kept}
        for number, packet in enumerate(container.demux(kept)):
            if packet.dts is None:
                continue
            if number % _TELL_EVERY == 0 and packet.pos is not None:
                write_progress(folder, 0.1 + 0.9 * packet.pos / total)
            packet.stream = outputs[packet.stream.index]
            output.mux(packet)


def _converted(container: InputContainer, folder: Path, recipe: Recipe) -> Facts:
    stream = _picture(container)
    duration = min(_duration(container, stream), recipe.max_seconds or MAX_SECONDS)
    rate = Fraction(recipe.frame_rate).limit_denominator(1001) if recipe.frame_rate else stream.average_rate
    rate = rate or Fraction(30)
    has_sound = bool(container.streams.audio)
    with av.open(str(folder / VARIANT), "w", format="mp4", options={"movflags": "faststart"}) as output:
        encoders: dict[type[VideoFrame | AudioFrame], _Encoder] = {
            VideoFrame: _Picture(
                output, stream, folder, recipe=recipe, rate=rate, quality=_quality(recipe, duration, has_sound)
            ),
        }
        if has_sound:
            encoders[AudioFrame] = _Sound(output)
        for frame in container.decode(stream, *container.streams.audio[:1]):
            if not isinstance(frame, VideoFrame | AudioFrame):
                continue
            if frame.time is not None and frame.time >= duration and recipe.max_seconds is not None:
                encoders[type(frame)].is_full = True
                if all(encoder.is_full for encoder in encoders.values()):
                    break
                continue
            encoders[type(frame)].add(frame)
            if frame.time is not None and duration and isinstance(frame, VideoFrame):
                write_progress(folder, frame.time / duration)
        for encoder in encoders.values():
            encoder.end()
    return Facts(
        content_type="video/mp4",
        size=(folder / VARIANT).stat().st_size,
        width=recipe.width,
        height=recipe.height,
        duration=round(duration, 3),
        frame_rate=round(float(rate), 3),
        video_codec="h264",
        audio_codec="aac" if has_sound else None,
    )


class _Encoder(Protocol):
    is_full: bool

    def add(self, frame: Any) -> None: ...

    def end(self) -> None: ...


class _Picture:
    def __init__(
        self,
        output: OutputContainer,
        source: VideoStream,
        folder: Path,
        *,
        recipe: Recipe,
        rate: Fraction,
        quality: dict[str, str],
    ) -> None:
        self.is_full = False
        self._output = output
        self._source = source
        self._folder = folder
        self._recipe = recipe
        self._rate = rate
        self._graph: Graph | None = None
        self._stream = output.add_stream("libx264", rate=rate, options=quality)
        self._stream.width, self._stream.height, self._stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        context = self._stream.codec_context
        context.thread_count = 2
        if _transfer(source) is not None:
            context.color_primaries = context.color_trc = context.colorspace = _BT709

    def add(self, frame: VideoFrame) -> None:
        if self._graph is None:
            steps = [*_in_sdr(self._source, self._folder), *_steps(frame, self._recipe, self._rate)]
            self._graph = _graph(self._source, steps, self._folder)
        self._graph.vpush(frame)
        self._encode()

    def end(self) -> None:
        if self._graph is None:
            raise RefusedError("media.broken", "The file is damaged: no picture of it can be decoded.")
        self._graph.vpush(None)
        self._encode()
        self._output.mux(self._stream.encode(None))

    def _encode(self) -> None:
        if self._graph is not None:
            for frame in _pulled(self._graph):
                frame.pict_type = PictureType.NONE
                self._output.mux(self._stream.encode(frame))


class _Sound:
    def __init__(self, output: OutputContainer) -> None:
        self.is_full = False
        self._output = output
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=48_000)
        self._stream = output.add_stream("aac", rate=48_000)
        self._stream.bit_rate = _AUDIO_SPEED

    def add(self, frame: AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._output.mux(self._stream.encode(piece))

    def end(self) -> None:
        self.add(None)
        self._output.mux(self._stream.encode(None))


def _quality(recipe: Recipe, duration: float, has_sound: bool) -> dict[str, str]:
    options = {"preset": "veryfast", "crf": "23", "profile": "high"}
    if recipe.max_bytes is not None and duration > 0:
        speed = int(recipe.max_bytes * 8 * 0.9 / duration) - (_AUDIO_SPEED if has_sound else 0)
        speed = max(speed, 100_000)
        options |= {"maxrate": str(speed), "bufsize": str(speed)}
    return options


Steps = Sequence[tuple[str, str]]
"""Filters of FFmpeg, with their arguments."""


def _in_sdr(stream: VideoStream, folder: Path) -> Steps:
    """Nothing, unless it has a high dynamic range: shown as it is encoded it would be grey."""
    transfer = _transfer(stream)
    if transfer is None:
        return []
    (folder / _TABLE).write_text(tones.table(transfer))
    return [
        ("scale", "in_color_matrix=bt2020:out_range=full"),
        ("format", "gbrp10le"),
        ("lut3d", f"{_TABLE}:interp=tetrahedral"),
        ("setparams", "color_primaries=bt709:color_trc=bt709"),
        ("scale", "out_color_matrix=bt709:out_range=tv"),
        ("format", "yuv444p"),
    ]


def _steps(frame: VideoFrame, recipe: Recipe, rate: Fraction) -> Steps:
    """Turned upright, cut out, scaled, at an even pace."""
    steps: list[tuple[str, str]] = []
    match frame.rotation % 360:
        case 90:
            steps.append(("transpose", "cclock"))
        case 180:
            steps += [("hflip", ""), ("vflip", "")]
        case 270:
            steps.append(("transpose", "clock"))
    if recipe.crop is not None:
        box = recipe.crop
        steps.append(("crop", f"{box.width}:{box.height}:{box.left}:{box.top}"))
    return [
        *steps,
        ("scale", f"{recipe.width}:{recipe.height}"),
        ("setsar", "1"),
        ("fps", str(rate)),
        ("format", "yuv420p"),
    ]


def _graph(stream: VideoStream, steps: Steps, folder: Path) -> Graph:
    """`folder` is where a filter finds the file that it is given by name: one of ours."""
    graph = Graph()
    last = graph.add_buffer(template=stream)
    with contextlib.chdir(folder):
        for name, arguments in (*steps, ("buffersink", "")):
            following = graph.add(name, arguments) if arguments else graph.add(name)
            last.link_to(following)
            last = following
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield frame


def _broken(error: Exception) -> RefusedError:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RefusedError("media.broken", f"The file is damaged: {words[:200]}.")
