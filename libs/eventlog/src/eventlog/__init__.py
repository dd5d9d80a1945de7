"""The event log runtime: a partition is a total order, and everything else follows from it."""
