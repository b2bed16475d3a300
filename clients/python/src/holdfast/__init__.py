"""The kit for back ends: verify Holdfast sessions, and publish messages. README.md has examples.

Layout, each module uses those after it: `client`, `transport` (`signing`, `retries`), `requests`, `answers`, `tokens`, `errors`.
"""

from holdfast.answers import Identity, NewSession, Published, Session, Tokens
from holdfast.client import Holdfast
from holdfast.errors import ConfigurationError, CrossSiteRequest, HoldfastError, NoSession, Refused, Unavailable
from holdfast.retries import Timing

__all__ = [
    "ConfigurationError", "CrossSiteRequest", "Holdfast", "HoldfastError", "Identity", "NewSession", "NoSession", "Published", "Refused", "Session",
    "Timing", "Tokens", "Unavailable",
]
