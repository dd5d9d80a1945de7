"""The fixtures that start real servers, for the tests of every package."""

pytest_plugins = ["localstack.testing"]
