"""Gives each case the rules of its pinned policy. Without it an edited file would change what is in flight."""

from datetime import datetime

from sqlalchemy import Connection, Engine

from recovery.cases.policy import Policy
from recovery.cases.rules import Rules
from recovery.declines.networks import NetworkRules
from recovery.runtime.knowledge import Knowledge, version_of
from recovery.storage.codec import policy_from, policy_json
from recovery.storage.policy_store import load_policy, save_policy


class StoredRuleBook:
    """Policies by version from the database, everything else from the files that are in force."""

    def __init__(self, knowledge: Knowledge, *, settle_seconds: float) -> None:
        self._knowledge = knowledge
        self._settle_seconds = settle_seconds
        self._policies: dict[str, Policy] = {knowledge.policy_version: knowledge.policy}
        self._rules: dict[str, Rules] = {}
        self.current = knowledge.policy_version

    @property
    def networks(self) -> NetworkRules:
        """All known editions of the networks' rules."""
        return self._knowledge.networks

    def rules_for(self, tx: Connection, version: str) -> Rules:
        """The rules of a case pinned on a version; made once, as they keep the verdicts and segments that they found."""
        found = self._rules.get(version)
        if found is None:
            if version not in self._policies:
                self._policies[version] = policy_from(load_policy(tx, version))
            found = self._rules[version] = Rules(
                policy=self._policies[version],
                declines=self._knowledge.declines,
                networks=self._knowledge.networks,
                banks=self._knowledge.banks,
                paydays=self._knowledge.paydays,
                settle_seconds=self._settle_seconds,
            )
        return found

    def adopt(self, policy: Policy, *, database: Engine, machine_now: datetime) -> str:
        """Make another policy the one that new cases are pinned on, and keep it; its version."""
        version = version_of(policy)
        with database.begin() as tx:
            save_policy(tx, version, policy_json(policy), machine_now=machine_now)
        self._policies[version] = policy
        self.current = version
        return version

    def keep_current(self, database: Engine, *, machine_now: datetime) -> None:
        """Write the current policy into the database, before any case can be pinned on it."""
        with database.begin() as tx:
            save_policy(tx, self.current, policy_json(self._policies[self.current]), machine_now=machine_now)
