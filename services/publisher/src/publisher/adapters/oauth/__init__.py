"""One OAuth 2 provider for each way to log in to a platform."""
