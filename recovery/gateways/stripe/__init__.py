"""Stripe as a gateway. Without this package nothing here would know how Stripe really behaves."""

from recovery.gateways.stripe.gateway import API_BASE, StripeGateway
from recovery.gateways.stripe.notices import KINDS
from recovery.gateways.stripe.transport import Limits, Pace

__all__ = ["API_BASE", "KINDS", "Limits", "Pace", "StripeGateway"]
