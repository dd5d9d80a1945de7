"""TikTok: Login Kit, Content Posting API and Display API, version 2, as documented in November 2026."""
