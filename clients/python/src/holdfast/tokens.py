"""The form of access tokens. Holdfast alone decides whether a token belongs to a live session."""

from __future__ import annotations

import re
import zlib
from base64 import urlsafe_b64encode

MAX_LENGTH = 512
"""No token is longer. Longer text is refused without a call."""

# Owner (16 bytes), place (a digit), secret (32 bytes) and checksum (4 bytes), in base64url.
_FORM = re.compile(r"hf1\.[A-Za-z0-9_-]{22}\.[0-9]\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{6}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def can_be_token(text: str) -> bool:
    """Returns whether a text can be a token at all: 1 to 512 visible ASCII characters."""
    return len(text) <= MAX_LENGTH and _VISIBLE.fullmatch(text) is not None


def is_well_formed(text: str) -> bool:
    """Returns whether a text has the form and the checksum of an access token. It chooses between several cookies of one name only."""
    if not _FORM.fullmatch(text):
        return False
    body, checksum = text.rsplit(".", 1)
    return urlsafe_b64encode(zlib.crc32(body.encode()).to_bytes(4, "big")) == f"{checksum}==".encode()
