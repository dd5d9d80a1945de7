"""`python -m ops COMMAND`: looks at the log and the store, and mends them.

Reads the same variables as the services: those of Kafka (`chassis.settings.KafkaSettings`), MONGODB_URI,
MONGODB_DATABASE; for `rotate-keys` also those of the publisher and of webhooks.
"""

import argparse
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from chassis import store
from chassis.secret_files import SecretFileError
from chassis.settings import ServiceSettings
from chassis.store import Document
from eventlog.ports import AppendFailedError
from eventlog.provision import ProvisioningError
from ops import cluster, dead_letters, figures, waiting
from ops.backup import backup, restore
from ops.keys import rotate
from ops.projections import AGGREGATES, Beside
from ops.reporting import OpsError, Report
from publisher.settings import Settings as PublisherSettings
from webhooks.settings import Settings as WebhooksSettings

Command = Callable[[ServiceSettings, AsyncDatabase[Document]], Awaitable[Report]]

FOUND_WRONG, FAILED = 1, 2
FIGURES = "figures"


def main() -> int:
    """0: done, and all is well; 1: done, and something is not; 2: not done."""
    arguments = _parser().parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        settings = ServiceSettings()  # type: ignore[call-arg]  # filled from the environment
        report = uvloop.run(_run(settings, _command(arguments)))
    except ValidationError as error:
        for wrong in error.errors():
            _say(f"{'_'.join(map(str, wrong['loc'])).upper()}: {wrong['msg']}")
        return FAILED
    except KafkaError as error:
        _say(f"Kafka at {settings.kafka_bootstrap} does not do it: {error}")
        return FAILED
    except PyMongoError as error:
        _say(f"the store does not do it: {type(error).__name__}: {str(error).split(', Timeout:')[0]}")
        return FAILED
    except (OpsError, AppendFailedError, ProvisioningError, SecretFileError, OSError) as error:
        _say(str(error))
        return FAILED
    print(report.as_json() if arguments.json else report.as_text())
    return 0 if report.sound else FOUND_WRONG


async def _run(settings: ServiceSettings, command: Command) -> Report:
    client = store.connect(settings.mongodb_uri)
    try:
        return await command(settings, store.database(client, settings.mongodb_database))
    finally:
        await client.close()


def _command(given: argparse.Namespace) -> Command:
    match given.command:
        case "topics":
            return lambda kafka, _: cluster.topics(kafka)
        case "owners":
            return lambda kafka, _: cluster.owners(kafka)
        case "overdue":
            return lambda kafka, database: waiting.overdue(kafka, database, limit=given.limit)
        case "held":
            return lambda _, database: waiting.held(database, tenant=given.tenant)
        case "dead-letters":
            return _dead_letters(given)
        case "rebuild" if given.projection == FIGURES:
            return lambda kafka, database: figures.rebuild(kafka, database, switch_over=given.switch_over)
        case "rebuild":
            return lambda kafka, database: Beside(kafka, database, given.projection).run(switch_over=given.switch_over)
        case "rotate-keys":
            return lambda _kafka, _database: _rotate()
        case "backup":
            return lambda kafka, database: backup(kafka, database, given.folder)
        case _:
            return lambda kafka, database: restore(kafka, database, given.folder, replication=given.replication)


def _dead_letters(given: argparse.Namespace) -> Command:
    match given.action:
        case "list":
            return lambda kafka, database: dead_letters.list_all(kafka, database, given.topic)
        case "show":
            return lambda kafka, _: dead_letters.show(kafka, given.id)
        case _:
            return lambda kafka, database: dead_letters.replay(
                kafka, database, given.id, topic=given.topic, repeat=given.repeat
            )


async def _rotate() -> Report:
    publisher, webhooks = PublisherSettings(), WebhooksSettings()  # type: ignore[call-arg]  # from the environment
    return await rotate(publisher, webhooks, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="for programs")
    parser = argparse.ArgumentParser(
        prog="python -m ops", description="Looks at the log and the store, and mends them."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, does: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=does, description=does, parents=[common])

    command("topics", "topics with their sizes, and how far each group is behind")
    command("owners", "which member of which group has which partitions")
    overdue = command("overdue", "what should have happened by now, the oldest first")
    overdue.add_argument("--limit", type=int, default=20, help="of each kind; default 20")
    held = command("held", "targets that only a person can resolve")
    held.add_argument("--tenant")
    letters = command("dead-letters", "messages that nobody could read").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    listed = letters.add_parser("list", help="all of them, oldest first", parents=[common])
    listed.add_argument("--topic", help="of one topic, such as posts.commands.dead")
    letters.add_parser("show", help="one, whole", parents=[common]).add_argument("id", help="TOPIC/PARTITION/OFFSET")
    replay = letters.add_parser("replay", help="back to where they came from, as they were", parents=[common])
    replay.add_argument("id", nargs="*", help="TOPIC/PARTITION/OFFSET")
    replay.add_argument("--topic", help="all of one topic of dead letters")
    replay.add_argument("--repeat", action="store_true", help="also what was put back before")
    rebuild = command("rebuild", "fold a log from its beginning beside the live projection, and compare")
    rebuild.add_argument("projection", choices=[*sorted(AGGREGATES), FIGURES])
    rebuild.add_argument(
        "--switch-over",
        action="store_true",
        help="go on where the last one ended, and put it in the live one's place",
    )
    command("rotate-keys", "seal all tokens and signing keys anew under the active keys")
    command("backup", "log and store into an empty folder").add_argument("folder", type=Path)
    restoring = command("restore", "a backup into an empty cluster and an empty database")
    restoring.add_argument("folder", type=Path)
    restoring.add_argument("--replication", type=int, default=3, help="of the topics that it makes; default 3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
