"""Agents: whether their programs answer, and with what credentials they would go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from cadencebus.checkup import programs
from cadencebus.checkup.finding import found
from cadencebus.checkup.online import ask
from cadencebus.errors import Misconfigured
from cadencebus.model.providers import PROVIDERS
from cadencebus.model.runner import RUNNERS
from cadencebus.model.wording import some
from cadencebus.session.environment import credentialed, environment, inherited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.model.cadence import Auth
    from cadencebus.model.providers import Provider
    from cadencebus.model.runner import Runner


class Way(NamedTuple):
    """One way in which agents are run: the credentials, the keys that are read, the rule, the environment."""

    credentials: str
    keys: tuple[str, ...]
    auth: Auth
    environ: tuple[tuple[str, str], ...]


def versions(patient: Patient) -> Iterator[Finding]:
    """Each agent's program answers to `--version` in time."""
    asked: set[str] = set()
    for cadence in patient.cadences.values():
        runner = patient.settings.runners.get(cadence.runner)
        if runner is None or not runner.agent:
            continue
        program = programs.resolve(cadence, runner, patient.home)
        if program.path and program.path not in asked:
            asked.add(program.path)
            said = programs.version(program)
            patient.programs[program.path] = said or "?"
            if said is None:
                yield found(
                    "program.silent",
                    f"{program.path} --version says nothing within 8 s",
                    f"{program.path} --version",
                )


def credentials(patient: Patient) -> Iterator[Finding]:
    """Apply the rule by which runs get their keys; with `--online`, ask the providers about them."""
    usable: dict[Way, list[str]] = {}
    for way, names in _ways(patient).items():
        who, provider = some(sorted(names)), PROVIDERS[way.credentials]
        environ = dict(way.environ)
        try:
            left = credentialed(environ, way.credentials, way.auth)
        except Misconfigured as error:
            yield found("credentials.missing", f"{who}: {error.message}", f"export {way.keys[0]}=…")
            continue
        dropped = [key for key in provider.keys if key in environ and key not in left]
        if dropped and way.auth == "auto" and any(environ[key] for key in dropped):
            yield found("credentials.placeholder", f"{' and '.join(dropped)} is a placeholder ({who})")
        if not any(key in left for key in way.keys) and not _logged_in(provider, left):
            names_ = " or ".join(way.keys)
            yield found(
                "credentials.none", f"{who}: neither {names_} nor a login of {way.credentials} is found"
            )
        else:
            usable[way._replace(environ=tuple(sorted(left.items())))] = names
    if patient.online:
        yield from ask({(way.credentials, way.environ): some(sorted(names)) for way, names in usable.items()})


def _ways(patient: Patient) -> dict[Way, list[str]]:
    """Every way in which enabled cadences run agents that go with a known kind of key."""
    ways: dict[Way, list[str]] = {}
    for cadence in patient.cadences.values():
        runner: Runner | None = patient.settings.runners.get(cadence.runner)
        if runner is None or runner.credentials not in PROVIDERS or not cadence.enabled:
            continue
        given = environment(inherited(patient.environ), {}, dict(runner.env), dict(cadence.env))
        auth = cadence.auth or patient.settings.auth
        provider = PROVIDERS[runner.credentials]
        keys = provider.own_keys if runner.name in RUNNERS else provider.keys
        way = Way(runner.credentials, keys, auth, tuple(sorted(given.items())))
        ways.setdefault(way, []).append(cadence.name)
    return ways


def _logged_in(provider: Provider, environ: dict[str, str]) -> bool:
    user = environ.get("HOME") or os.path.expanduser("~")
    # macOS keeps Claude's login in the keychain, which is not ours to open.
    places = [f"{user}/Library/Keychains", *provider.login_files({**environ, "HOME": user})]
    return any(map(os.path.exists, places)) or any(map(environ.get, (*provider.tokens, *provider.others)))
