"""The HTTP front: requests become commands on Kafka, verdicts become answers, reads come from the projection."""
