"""The language the services share: messages, topics, wire form, and one good example of each message."""
