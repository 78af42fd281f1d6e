"""A seeded world of issuers and customers whose truth the engine cannot see.

Without a truth behind the declines nobody could say whether waiting for a payday, a bank's opening hour or a
fresh card pays off: scripted answers only show that the machinery turns.
"""

from recovery.simulation.world.build import World, build_world
from recovery.simulation.world.parameters import Parameters

__all__ = ["Parameters", "World", "build_world"]
