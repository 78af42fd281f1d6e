"""Recovery: wins back subscription payments that failed although the customer did not want to leave."""

__version__ = "0.1.0"
