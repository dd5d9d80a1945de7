"""``python -m sandbox``"""

from __future__ import annotations

import gc
import os

from sandbox.config import Config
from sandbox.server import build


def main() -> None:
    config = Config.from_environment(os.environ)
    server = build(config.host, config.port, config.log_level)
    # What exists now lives as long as the process; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    server.run()


if __name__ == "__main__":
    main()
