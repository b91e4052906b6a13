"""Providers of models, as data: by which variables and files their agents sign in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What agents sign in with that share the credentials of one provider."""

    # API keys; and those of them that the provider's own agent reads, where it does not read all.
    keys: tuple[str, ...]
    read: tuple[str, ...] = ()
    # What else in the environment signs in, and what makes another account pay.
    tokens: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    base_url: str
    # Files that signing in writes, and nothing else does; `{VARIABLE:folder}` is a folder that may be moved.
    logins: tuple[str, ...]
    # What a person types to sign in.
    sign_in: str

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The keys that its own agent reads."""
        return self.read or self.keys

    def login_files(self, environ: Mapping[str, str]) -> list[str]:
        """Where a login lies, for an agent with this environment."""
        return [_place(login, environ) for login in self.logins]


def _place(login: str, environ: Mapping[str, str]) -> str:
    if login.startswith("{"):
        variable, _, rest = login[1:].partition(":")
        default, _, tail = rest.partition("}")
        login = (environ.get(variable) or default) + tail
    return login.replace("~", environ.get("HOME", "/"), 1) if login.startswith("~") else login


_ANTHROPIC = Provider(
    keys=("ANTHROPIC_API_KEY",),
    tokens=("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    others=("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"),
    base_url="ANTHROPIC_BASE_URL",
    logins=("{CLAUDE_CONFIG_DIR:~/.claude}/.credentials.json",),
    sign_in="`claude /login`",
)
_OPENAI = Provider(
    keys=("OPENAI_API_KEY", "CODEX_API_KEY"),
    # `codex exec` wants its own.
    read=("CODEX_API_KEY",),
    base_url="OPENAI_BASE_URL",
    logins=("{CODEX_HOME:~/.codex}/auth.json",),
    sign_in="`codex login`",
)
_GOOGLE = Provider(
    keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    tokens=("GOOGLE_APPLICATION_CREDENTIALS",),
    others=("GOOGLE_GENAI_USE_VERTEXAI",),
    base_url="GOOGLE_GEMINI_BASE_URL",
    logins=("~/.gemini/oauth_creds.json", "~/.config/gcloud/application_default_credentials.json"),
    sign_in="`gemini`, and sign in",
)
# By the names of credentials, and by what people call them after the agent.
PROVIDERS: Mapping[str, Provider] = {
    "anthropic": _ANTHROPIC,
    "claude": _ANTHROPIC,
    "openai": _OPENAI,
    "codex": _OPENAI,
    "google": _GOOGLE,
    "gemini": _GOOGLE,
}
