"""YouTube: Data API v3, Analytics API v2 and Google's OAuth."""
