"""`python -m media` runs the service."""

from chassis.process import run
from media.bootstrap import serve
from media.settings import Settings


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    run(lambda stop: serve(settings, stop), service="media", settings=settings)


if __name__ == "__main__":
    main()
