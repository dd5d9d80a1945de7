"""One HTTP client for every URL that a user gives: it goes to the public internet and nowhere else."""
