"""Plays whole lives of failing customers under different strategies, without servers, and compares what came of it.

Without it nobody could say whether a change to the timing is worth anything, on which world, and how far it is from what was possible.
"""
