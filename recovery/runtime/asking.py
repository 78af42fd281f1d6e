"""Makes what asks the customer from the settings. Without one place for it a command would write other emails than a worker."""

from recovery.dunning.addresses import Addresses
from recovery.dunning.letter import Brand, Letters
from recovery.dunning.links import Links
from recovery.runtime.settings import Settings


def letters_of(settings: Settings) -> Letters:
    """The emails' texts and form, with the brand of these settings."""
    brand = Brand(
        name=settings.brand_name,
        sender=settings.mail_from,
        reply_to=settings.mail_reply_to,
        colour=settings.brand_colour,
        logo=settings.brand_logo,
    )
    return Letters(settings.config_dir / "emails", brand)


def links_of(settings: Settings) -> Links | None:
    """The customer's links; None where no page can be reached from outside, or nothing could sign for it."""
    if settings.public_url is None or not settings.link_secrets:
        return None
    secrets = tuple(secret.get_secret_value() for secret in settings.link_secrets)
    return Links(base_url=settings.public_url.rstrip("/"), secrets=secrets)


def addresses_of(settings: Settings) -> Addresses | None:
    """The hashes of addresses; None without a key."""
    return None if settings.address_key is None else Addresses(key=settings.address_key.get_secret_value())
