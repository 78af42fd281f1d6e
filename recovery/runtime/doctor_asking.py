"""What the doctor looks at where customers are asked and the merchant is told. Without it an app that hears nothing would be found by
its users.
"""

from recovery.dunning.mailer import MailError
from recovery.dunning.recess import FAILURES_MAX
from recovery.runtime.finding import Finding, Health
from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import Flag
from recovery.storage.message_store import Undelivered


def mail_server(wiring: Wiring) -> Finding:
    """Whether the mail server lets us in, and who we say we are."""
    settings = wiring.settings
    where = f"{settings.smtp_host}:{settings.smtp_port} ({settings.smtp_security})"
    try:
        wiring.mailer.check()
    except MailError as error:
        remedy = "check RECOVERY_SMTP_HOST, _PORT, _SECURITY, _USERNAME and _PASSWORD"
        return Finding(subject="mail server", health=Health.FAILED, detail=f"{where}: {error}", remedy=remedy)
    if settings.mail_from.endswith("@example.com"):
        remedy = "set RECOVERY_MAIL_FROM to an address of your own domain, and RECOVERY_BRAND_NAME"
        return Finding(
            subject="mail server", health=Health.WARNING, detail=f"{where}: sender is an example", remedy=remedy
        )
    return Finding(subject="mail server", health=Health.OK, detail=f"{where}, from {settings.sender_domain}")


REFUSALS_MAX = 5
"""Letters in a row that did not go out: a few are dead addresses or a short pause of the server, five are our own matter."""


def letters(refused: Flag | None, ill: Flag | None, stopped: int) -> Finding:
    """Whether letters leave, and how many open cases the mail server's refusals have left without them."""
    if ill is not None and ill.times >= FAILURES_MAX:
        detail = f"they wait since {ill.since:%Y-%m-%d %H:%M} UTC, as the mail server is ill: {ill.detail}"
        remedy = (
            "mend the mail server; five minutes later letters go on by themselves, or at once by: recovery email resume"
        )
        return Finding(subject="letters", health=Health.FAILED, detail=detail, remedy=remedy)
    without = f"{stopped} open cases get none any more, since the mail server refused one for good"
    if refused is not None and refused.times >= REFUSALS_MAX:
        detail = f"the last {refused.times} did not go out, since {refused.since:%Y-%m-%d %H:%M} UTC: {refused.detail}"
        remedy = "mend it, try it with `recovery email send-test`, then run: recovery email resume"
        told = f"{detail}; {without}" if stopped else detail
        return Finding(subject="letters", health=Health.FAILED, detail=told, remedy=remedy)
    if stopped:
        remedy = "if that was our own mistake, and it is mended, run: recovery email resume"
        return Finding(subject="letters", health=Health.OK, detail=without, remedy=remedy)
    return Finding(subject="letters", health=Health.OK, detail="none was refused for good")


def customers_page(wiring: Wiring) -> Finding:
    """Whether emails can lead to a page of ours, and bounced addresses are kept."""
    settings = wiring.settings
    missing = [
        name
        for name, value in (
            ("RECOVERY_PUBLIC_URL", settings.public_url),
            ("RECOVERY_LINK_SECRETS", settings.link_secrets),
            ("RECOVERY_ADDRESS_KEY", settings.address_key),
        )
        if not value
    ]
    if missing:
        detail = "emails lead to Stripe's own page, or bounced addresses are not kept"
        remedy = f"set {', '.join(missing)}"
        return Finding(subject="customer's page", health=Health.WARNING, detail=detail, remedy=remedy)
    live = wiring.gateway.livemode if settings.stripe_secret_key is not None else False
    if live and not (settings.public_url or "").startswith("https://"):
        detail = "its links are not https"
        return Finding(subject="customer's page", health=Health.FAILED, detail=detail, remedy="set RECOVERY_PUBLIC_URL")
    if settings.merchant_url is None:
        detail = "customers can say there that they leave, and nobody is told"
        remedy = "set RECOVERY_MERCHANT_URL, or look each day at: recovery case list --left"
        return Finding(subject="customer's page", health=Health.WARNING, detail=detail, remedy=remedy)
    return Finding(subject="customer's page", health=Health.OK, detail=f"{settings.public_url}/r/…")


def merchants_app(wiring: Wiring, messages: Undelivered) -> Finding:
    """Whether the merchant's app hears what it is told. What was given up stays a failure until it is replayed."""
    if messages.given_up:
        detail = f"{messages.given_up} messages were given up ({messages.last_error})"
        remedy = "mend the app behind RECOVERY_MERCHANT_URL, then run: recovery merchant replay"
        return Finding(subject="merchant's app", health=Health.FAILED, detail=detail, remedy=remedy)
    if wiring.settings.merchant_url is None:
        left = f"; {messages.waiting} messages wait for one" if messages.waiting else ""
        return Finding(subject="merchant's app", health=Health.OK, detail=f"none is told{left}")
    if messages.failing:
        detail = f"{messages.failing} messages were not taken and are repeated: {messages.last_error}"
        remedy = "look at the app behind RECOVERY_MERCHANT_URL, and at: recovery merchant list --state waiting"
        return Finding(subject="merchant's app", health=Health.WARNING, detail=detail, remedy=remedy)
    return Finding(
        subject="merchant's app", health=Health.OK, detail=f"{messages.waiting} messages wait, none given up"
    )
