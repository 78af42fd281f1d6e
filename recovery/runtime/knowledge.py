"""Loads and checks the policy and knowledge files. Without it a typing mistake would surface as a wrong charge weeks later."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from recovery.cases.policy import Policy
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineTable
from recovery.declines.networks import OTHER_BRANDS, NetworkRules, RulePack
from recovery.storage.codec import policy_json
from recovery.timing.banks import BankHours, Banks

T = TypeVar("T")

POLICY_FILE = "recovery.toml"
DECLINES_FILE = "declines.toml"
BANKS_FILE = "banks.toml"
NETWORKS_FOLDER = "networks"


class ConfigInvalid(ValueError):
    """One or more files cannot be used. Each mistake names file, key and reason."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Everything in the configuration folder, checked."""

    policy: Policy
    policy_version: str
    declines: DeclineTable
    networks: NetworkRules
    banks: Banks


def load_knowledge(folder: Path) -> Knowledge:
    """Read and check every file of a configuration folder. Raises ConfigInvalid with all mistakes at once."""
    mistakes: list[str] = []
    policy = _file(folder / POLICY_FILE, Policy, mistakes)
    declines = _file(folder / DECLINES_FILE, DeclineTable, mistakes)
    banks = _file(folder / BANKS_FILE, Banks, mistakes)
    files = sorted((folder / NETWORKS_FOLDER).glob("*.toml"))
    packs = [pack for path in files if (pack := _file(path, RulePack, mistakes)) is not None]
    if banks is not None:
        mistakes += _bank_mistakes(folder / BANKS_FILE, banks)
    mistakes += _pack_mistakes(folder / NETWORKS_FOLDER, packs)
    if mistakes or policy is None or declines is None or banks is None:
        raise ConfigInvalid(mistakes)
    return Knowledge(
        policy=policy,
        policy_version=version_of(policy),
        declines=declines,
        networks=NetworkRules(packs=tuple(packs)),
        banks=banks,
    )


def version_of(policy: Policy) -> str:
    """A policy's version: its name and a hash of its content, so that equal content is one version."""
    content = json.dumps(policy_json(policy), sort_keys=True)
    return f"{policy.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _file(path: Path, shape: type[T], mistakes: list[str]) -> T | None:
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        mistakes.append(f"{path}: the file is missing")
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: not readable as TOML: {error}")
        return None
    try:
        return TypeAdapter(shape).validate_python(content)
    except ValidationError as error:
        for detail in error.errors():
            key = ".".join(str(part) for part in detail["loc"]) or "(the file as a whole)"
            mistakes.append(f"{path}: {key}: {detail['msg']}")
        return None


def _bank_mistakes(path: Path, banks: Banks) -> list[str]:
    every: list[tuple[str, BankHours]] = [("unknown", banks.unknown)]
    every += [(f"countries.{country}", hours) for country, hours in banks.countries.items()]
    found = []
    for key, hours in every:
        for zone in hours.zones:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError):
                found.append(f"{path}: {key}.zones: {zone!r} is no IANA time zone")
        if hours.opens >= hours.closes:
            found.append(f"{path}: {key}: opens ({hours.opens}) must be before closes ({hours.closes})")
        if not set(hours.weekend) <= set(range(7)) or len(set(hours.weekend)) == 7:
            found.append(f"{path}: {key}.weekend: weekdays are 0 (Monday) to 6, and one must be open")
    return found


def _pack_mistakes(folder: Path, packs: list[RulePack]) -> list[str]:
    found = []
    if not any(OTHER_BRANDS in pack.brands and pack.in_force_from <= date(2020, 1, 1) for pack in packs):
        found.append(f'{folder}: no file has "{OTHER_BRANDS}" among its brands from 2020-01-01 on')
    seen: dict[tuple[str, date], str] = {}
    for pack in packs:
        if not pack.caps:
            found.append(f"{folder}/{pack.name()}.toml: caps: at least one cap is needed")
        for brand in pack.brands:
            other = seen.setdefault((brand, pack.in_force_from), pack.name())
            if other != pack.name():
                found.append(f"{folder}/{pack.name()}.toml: brands: {other} begins for {brand} on the same day")
    return found


def load_file(path: Path, shape: type[T]) -> T:
    """Read and check one TOML file by itself. Raises ConfigInvalid with every mistake in it."""
    mistakes: list[str] = []
    found = _file(path, shape, mistakes)
    if found is None:
        raise ConfigInvalid(mistakes)
    return found


def rules_of(knowledge: Knowledge, *, policy: Policy | None = None) -> Rules:
    """The rules as decisions take them where no machine time passes: for plans, backtests and comparisons."""
    return Rules(
        policy=policy or knowledge.policy,
        declines=knowledge.declines,
        networks=knowledge.networks,
        banks=knowledge.banks,
        settle_seconds=0.0,
    )
