"""The description of the JSON API. Without it whoever reads the report by program would have to guess its shape."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recovery import __version__
from recovery.reporting.period import NARROWING
from recovery.reporting.views import View
from recovery.runtime.web.asking import KEY_MAX

_TEXT = {"type": "string", "maxLength": KEY_MAX}


def openapi_page(_request: Request) -> Response:
    """The description itself, as OpenAPI 3.1."""
    return JSONResponse(description())


def description() -> dict[str, Any]:
    """What the API offers: the report as JSON, CSV and XLSX, all with the same parameters."""
    forms = {
        "/report.json": ("application/json", {"$ref": "#/components/schemas/Report"}),
        "/report.csv": ("text/csv", {"type": "string"}),
        "/report.xlsx": (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            {"type": "string", "contentEncoding": "binary"},
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Recovered revenue",
            "version": __version__,
            "description": "Amounts are integer minor units; currencies are never added up. Each figure carries its definition.",
        },
        "paths": {path: {"get": _operation(path, kind, schema)} for path, (kind, schema) in forms.items()},
        "components": {"schemas": {"Report": _REPORT, "Table": _TABLE, "Error": _ERROR}},
    }


def _operation(path: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    refused = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": "The report of a month or of some days; this month unless asked otherwise.",
        "parameters": [*_period(), *_narrowing(), _by()],
        "responses": {
            "200": {"description": "The report.", "content": {kind: {"schema": schema}}},
            "400": {"description": "What was asked for does not exist; the error says why.", **refused},
            "401": {"description": "Nobody is signed in, or name or password is wrong.", **refused},
            "403": {"description": "Whoever is signed in is no finance and no admin.", **refused},
            "429": {
                "description": "Too many failed attempts to sign in; Retry-After says how many seconds to wait.",
                **refused,
            },
            "503": {"description": "The database is away; nothing is lost.", **refused},
        },
    }


def _parameter(name: str, words: str, schema: dict[str, Any], **others: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": name, "in": "query", "required": False, "description": words, "schema": schema, **others}


def _period() -> list[dict[str, Any]]:
    day = {"type": "string", "format": "date"}
    return [
        _parameter("month", "One month, like 2026-10.", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}),
        _parameter("from", "The first day, instead of a month.", day),
        _parameter("to", "The last day, included.", day),
        _parameter("zone", "Where days and months begin, like Europe/Berlin.", _TEXT),
    ]


def _narrowing() -> list[dict[str, Any]]:
    words = "Only the cases with this key, as the rows of that table are named."
    return [_parameter(name, words, _TEXT) for name in NARROWING]


def _by() -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string", "enum": [*View, "all"]}}
    return _parameter("by", "Only these tables.", schema, style="form", explode=True)


_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REPORT = {
    "type": "object",
    "required": ["first_day", "last_day", "zone", "made_at", "narrowed", "note", "tables"],
    "properties": {
        "first_day": {"type": "string", "format": "date"},
        "last_day": {"type": "string", "format": "date"},
        "zone": {"type": "string"},
        "made_at": {"type": "string", "format": "date-time"},
        "narrowed": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "The keys that every case of the report has; empty for all cases.",
        },
        "note": {"type": "string"},
        "tables": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Table"}},
    },
}
_TABLE = {
    "type": "object",
    "required": ["title", "definition", "key", "figures", "rows"],
    "properties": {
        "title": {"type": "string"},
        "definition": {"type": "string"},
        "key": {"type": "string", "description": "What the rows are."},
        "figures": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["label", "kind", "definition"],
                "properties": {name: {"type": "string"} for name in ("label", "kind", "definition")},
            },
        },
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "currency"],
                "properties": {"key": {"type": "string"}, "currency": {"type": "string", "pattern": "^[a-z]{3}$"}},
                "description": "The figures by name: whole numbers, or rates and means with what they are taken of.",
            },
        },
    },
}
