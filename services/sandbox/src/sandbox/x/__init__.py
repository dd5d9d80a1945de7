"""X, API v2 (OpenAPI documents 2.166 and 2.167)."""
