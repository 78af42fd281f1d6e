"""A world with issuers and customers, and a gateway on top of it, so that recovery can be watched and judged.

Without this room nobody could tell whether the engine charges twice, writes too early or reports wrong sums:
no real gateway lets a test choose what a bank answers, nor keeps a ledger that is independent of the engine.
"""
