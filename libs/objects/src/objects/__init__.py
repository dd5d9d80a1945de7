"""The object store, the signed addresses under which its objects are served, and what files are by their bytes."""
