"""A look at one variant of an experiment, whoever looks: a signed text that a request carries.

Lists that are shown for it are recorded as such and count for nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time

from thinslice.errors import AccessError, InputError

_SIGNED_FOR = b"thinslice preview 1\0"
_NEXT = "make one with thinslice experiment preview NAME VARIANT"


def preview_token(secret: bytes, shop: str, experiment: str, variant: str, hours: float) -> str:
    """A text for the field `preview` of a request for a list, good for some hours."""
    expires_s = int(time.time() + hours * 3600)
    payload = json.dumps([shop, experiment, variant, expires_s]).encode()
    return base64.urlsafe_b64encode(_mac(payload, secret) + payload).decode()


def read_preview(text: str, secret: bytes, shop: str, *, trusted: bool) -> tuple[str, str]:
    """The experiment and the variant to show.

    With the secret key (`trusted`) the text may also be EXPERIMENT/VARIANT. Raises InputError for
    a text that is neither, AccessError for a token that has expired or is another shop's.
    """
    if trusted and "/" in text:
        experiment, _, variant = text.partition("/")
        return experiment, variant
    try:
        signed = base64.b64decode(text, altchars=b"-_", validate=True)
        mac, payload = signed[:32], signed[32:]
        if not hmac.compare_digest(mac, _mac(payload, secret)):
            raise ValueError
        of_shop, experiment, variant, expires_s = json.loads(payload)
    except (ValueError, binascii.Error):
        raise InputError(
            f"a preview is a text that was signed here, got another; {_NEXT}"
        ) from None
    if of_shop != shop or expires_s < time.time():
        raise AccessError(f"a preview opens its own shop until it expires, this does not; {_NEXT}")
    return experiment, variant


def _mac(payload: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _SIGNED_FOR + payload, hashlib.sha256)
