"""Reads the log and the journal, and proves that nothing that was accepted is lost or published twice."""
