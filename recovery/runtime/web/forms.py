"""Reads a short form. Without a limit of its own anybody could fill the memory through the page for signing in."""

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

FIELDS_MAX = 10
"""The longest form of ours has four."""


async def short_form(request: Request, *, bytes_max: int) -> dict[str, str]:
    """The fields of a URL-encoded form, the last of each name. Raises HTTPException 400 and 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise HTTPException(413, detail="the form is too long")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=FIELDS_MAX, keep_blank_values=True)
    except ValueError as error:
        raise HTTPException(400, detail="the form cannot be read") from error
    return {name: values[-1] for name, values in fields.items()}
