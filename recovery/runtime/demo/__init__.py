"""The demo: the processes of production, a sandbox for a gateway, and 45 days in a minute or two.

Without it nobody could watch what the product does before trusting it with money.
"""
