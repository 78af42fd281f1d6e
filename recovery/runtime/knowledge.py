"""Loads and checks the policy and knowledge files. Without it a typing mistake would surface as a wrong charge weeks later."""

import hashlib
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from recovery.cases.campaigns import Campaign
from recovery.cases.policy import Policy
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineTable
from recovery.declines.networks import NetworkRules, RulePack
from recovery.runtime.code_checks import banks_codes, pack_codes, payday_codes, policy_codes
from recovery.runtime.knowledge_checks import (
    Mistakes,
    bank_mistakes,
    campaign_mistakes,
    pack_mistakes,
    payday_mistakes,
    segment_mistakes,
    threshold_mistakes,
)
from recovery.runtime.toml_places import line_of, places
from recovery.storage.codec import policy_json
from recovery.timing.banks import Banks
from recovery.timing.paydays import Paydays

T = TypeVar("T")

POLICY_FILE = "recovery.toml"
DECLINES_FILE = "declines.toml"
BANKS_FILE = "banks.toml"
PAYDAYS_FILE = "paydays.toml"
NETWORKS_FOLDER = "networks"
EMAILS_FOLDER = "emails"
CAMPAIGNS_FILE = "campaigns.toml"


class ConfigInvalid(ValueError):
    """One or more files cannot be used. Each mistake names file, line, key, reason and remedy."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """The file of campaigns."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    campaigns: tuple[Campaign, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Everything in the configuration folder, checked."""

    policy: Policy
    policy_version: str
    declines: DeclineTable
    networks: NetworkRules
    banks: Banks
    paydays: Paydays


def load_knowledge(folder: Path, *, policy_file: Path | None = None) -> Knowledge:
    """Read and check every file of a configuration folder. Raises ConfigInvalid with all mistakes at once.

    ``policy_file`` is read in place of the folder's own policy.
    """
    mistakes: list[str] = []
    policy_path = policy_file or folder / POLICY_FILE
    policy = _file(policy_path, Policy, mistakes)
    declines = _file(folder / DECLINES_FILE, DeclineTable, mistakes)
    banks = _file(folder / BANKS_FILE, Banks, mistakes)
    paydays = _file(folder / PAYDAYS_FILE, Paydays, mistakes)
    packs = load_packs(folder, mistakes)
    unsound = False
    if banks is not None:
        found = bank_mistakes(banks)
        unsound = bool(found)
        mistakes += _placed(folder / BANKS_FILE, found + banks_codes(banks))
    if paydays is not None:
        mistakes += _placed(folder / PAYDAYS_FILE, payday_mistakes(paydays) + payday_codes(paydays))
    if policy is not None:
        found = segment_mistakes(policy)
        if not found and banks is not None and not unsound:
            found = threshold_mistakes(policy, banks)
        mistakes += _placed(policy_path, found + policy_codes(policy))
    if policy is not None:
        policy = _with_campaigns(folder, policy, mistakes)
    if mistakes or policy is None or declines is None or banks is None or paydays is None:
        raise ConfigInvalid(mistakes)
    return Knowledge(
        policy=policy,
        policy_version=version_of(policy),
        declines=declines,
        networks=NetworkRules(packs=tuple(packs)),
        banks=banks,
        paydays=paydays,
    )


def _with_campaigns(folder: Path, policy: Policy, mistakes: list[str]) -> Policy:
    """The policy with its campaigns: they are pinned on cases as the rest of it is. Without a file everybody gets one email."""
    path = folder / EMAILS_FOLDER / CAMPAIGNS_FILE
    found = _file(path, Campaigns, mistakes) if path.is_file() else None
    if found is None:
        return policy
    whole = replace(policy, campaigns=found.campaigns)
    mistakes += _placed(path, campaign_mistakes(whole))
    return whole


def load_packs(folder: Path, mistakes: list[str]) -> list[RulePack]:
    """Every edition of every network's rules; what is wrong is added to ``mistakes``."""
    files = sorted((folder / NETWORKS_FOLDER).glob("*.toml"))
    read = [(path, pack) for path in files if (pack := _file(path, RulePack, mistakes)) is not None]
    for path, found in pack_mistakes(folder / NETWORKS_FOLDER, read):
        mistakes += _placed(path, found)
    for path, pack in read:
        mistakes += _placed(path, pack_codes(pack))
    return [pack for _, pack in read]


def version_of(policy: Policy) -> str:
    """A policy's version: its name and a hash of its content, so that equal content is one version."""
    content = json.dumps(policy_json(policy), sort_keys=True)
    return f"{policy.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


_READERS: dict[type, TypeAdapter[Any]] = {}
"""Made once a shape: making one takes ten times as long as reading a file with it."""


def _file(path: Path, shape: type[T], mistakes: list[str]) -> T | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        content: Any = tomllib.loads(text)
    except FileNotFoundError:
        mistakes.append(f"{path}: the file is missing; copy it from the release, or set RECOVERY_CONFIG_DIR")
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: not readable as TOML: {error}; correct the spelling there")
        return None
    try:
        if shape not in _READERS:
            _READERS[shape] = TypeAdapter(shape)
        read: T = _READERS[shape].validate_python(content)
        return read
    except ValidationError as error:
        found = [
            (tuple(detail["loc"]), f"{detail['msg']}; {_REMEDIES.get(detail['type'], 'correct the value')}")
            for detail in error.errors()
        ]
        mistakes += _placed(path, found)
        return None


def _placed(path: Path, found: Mistakes) -> list[str]:
    """Each mistake with file, line and key."""
    if not found:
        return []
    lines = places(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    told = []
    for key, reason in found:
        line = line_of(lines, key) or 1  # what is missing altogether is told at the top
        where = f"{path}:{line}" if path.is_file() else str(path)
        told.append(f"{where}: {'.'.join(str(part) for part in key) or '(the file as a whole)'}: {reason}")
    return told


_REMEDIES = {
    "missing": "add it",
    "missing_argument": "add it",
    "missing_keyword_only_argument": "add it",
    "unexpected_keyword_argument": "remove it, or correct its spelling",
    "extra_forbidden": "remove it, or correct its spelling",
    "enum": "use one of the values listed",
    "time_type": "write a local time without quotes, as 09:30:00",
    "date_type": "write a date without quotes, as 2026-04-18",
    "date_from_datetime_parsing": "write a date without quotes, as 2026-04-18",
    "greater_than_equal": "raise the value",
    "less_than_equal": "lower the value",
    "too_short": "list at least one",
}


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
        paydays=knowledge.paydays,
        settle_seconds=0.0,
    )
