"""A simulator of social platforms: as strict as the real ones, with scripted faults and a ledger of what is live.

For development and tests only. One process serves every platform under its own prefix and a control API
under ``/_sandbox``.
"""
