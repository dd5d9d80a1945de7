"""What the media service is told through its environment."""

from pathlib import Path
from tempfile import gettempdir

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables are the upper-case field names. Raises ValidationError at start."""

    objects_url: str
    """Where the bytes are: `file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`."""
    media_work_dir: Path = Field(default_factory=lambda: Path(gettempdir()) / "social-media")
    """Room for the files in work: three times the largest upload for each that is worked on at once."""

    media_max_image_bytes: int = Field(default=64 << 20, gt=0)
    media_max_video_bytes: int = Field(default=4 << 30, gt=0)

    media_image_slots: int = Field(default=2, gt=0)
    """Images looked into at once. One takes up to `media_image_memory` bytes."""
    media_video_slots: int = Field(default=1, gt=0)
    """Videos looked into or converted at once."""
    media_image_memory: int = Field(default=500 << 20, gt=0)
    media_video_memory: int = Field(default=900 << 20, gt=0)
    media_image_seconds: int = Field(default=20, gt=0)
    """Processor time for one image; it may take three times as long by the clock."""
    media_video_seconds: int = Field(default=3_600, gt=0)
    """Processor time for converting one video."""
    media_look_seconds: int = Field(default=300, gt=0)
    """Processor time for looking into one video."""

    media_fetch_allow_private: bool = False
    """Whether URLs may lead to private addresses: for development only."""

    media_collect_every: float = Field(default=3_600.0, gt=0)
    """Seconds between two searches for objects that nothing needs."""
    media_keep_unused: float = Field(default=86_400.0, gt=0)
    """Seconds for which an object that nothing needs is kept: longer than any upload or processing takes."""
    media_keep_deleted: float = Field(default=7 * 86_400.0, gt=0)
    """Seconds for which the files of a deleted upload are kept, so that what was on its way goes out."""
