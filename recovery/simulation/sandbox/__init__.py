"""A server that speaks the part of Stripe's API which the real client uses here, and remembers what was charged.

Without it no test could let a bank decline, a connection break or a charge land late, and no independent ledger
would say whether an obligation was charged twice.
"""

from recovery.simulation.sandbox.faults import Faults, PayFault, WebhookFault
from recovery.simulation.sandbox.ledger import LedgerEntry
from recovery.simulation.sandbox.sandbox import Sandbox
from recovery.simulation.sandbox.server import RunSettings, populated_sandbox, run_sandbox, serve_sandbox
from recovery.simulation.sandbox.settings import SandboxOptions, WebhookEndpoint

__all__ = [
    "Faults",
    "LedgerEntry",
    "PayFault",
    "RunSettings",
    "Sandbox",
    "SandboxOptions",
    "WebhookEndpoint",
    "WebhookFault",
    "populated_sandbox",
    "run_sandbox",
    "serve_sandbox",
]
