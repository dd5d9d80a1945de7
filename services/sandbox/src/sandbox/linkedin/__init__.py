"""LinkedIn, versioned REST and OAuth."""
