"""A notice to a person: by webhook, by e-mail, or both. Every failure is an OSError."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import quote, urlsplit

from thinslice.config import Settings
from thinslice.domain import MICROSECONDS
from thinslice.store.experiments import Notice

TIMEOUT_S = 10.0
SIGNATURE = "thinslice-signature"


def is_wanted(settings: Settings) -> bool:
    """Whether there is anyone to tell."""
    return bool(settings.notice_webhook or settings.notice_email)


def send(notice: Notice, settings: Settings) -> None:
    """Tell everyone who is to be told. Who retries may tell someone twice: the `id` is the same."""
    if settings.notice_webhook:
        _post(notice, settings)
    if settings.notice_email:
        _mail(notice, settings)


def page_of(notice: Notice, settings: Settings) -> str:
    """Where to look: a link where the settings say under which address, else the path."""
    path = f"/{notice.shop}/readout?experiment={quote(notice.experiment)}"
    return settings.public_url.rstrip("/") + path


def body(notice: Notice, settings: Settings) -> bytes:
    """What is posted."""
    found_at = datetime.fromtimestamp(notice.found_us // MICROSECONDS, UTC).isoformat()
    return json.dumps(
        {
            "id": f"{notice.shop}/{notice.experiment}/{notice.about}",
            "shop": notice.shop,
            "experiment": notice.experiment,
            "about": notice.about,
            "text": notice.text,
            "page": page_of(notice, settings),
            "found_at": found_at,
        }
    ).encode()


def signature(payload: bytes, secret: str, at_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of "SECONDS." and the body, which a replay cannot fake."""
    signed = hmac.digest(secret.encode(), f"{at_s}.".encode() + payload, hashlib.sha256)
    return f"t={at_s},v1={signed.hex()}"


def _post(notice: Notice, settings: Settings) -> None:
    address = urlsplit(settings.notice_webhook)
    secure = address.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    payload = body(notice, settings)
    headers = {"content-type": "application/json"}
    if secret := settings.notice_secret.get_secret_value():
        headers[SIGNATURE] = signature(payload, secret, int(time.time()))
    connection = connect(address.hostname or "", address.port, timeout=TIMEOUT_S)
    path = (address.path or "/") + (f"?{address.query}" if address.query else "")
    try:
        connection.request("POST", path, payload, headers)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"{settings.notice_webhook} answered what is not HTTP: {error}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise OSError(f"{settings.notice_webhook} must answer 2xx, got {status}")


def _mail(notice: Notice, settings: Settings) -> None:
    message = EmailMessage()
    message["Subject"] = f"{notice.shop}: experiment {notice.experiment} needs a look"
    message["From"] = settings.smtp_from
    message["To"] = settings.notice_email
    message.set_content(f"{notice.text}\n\nSee {page_of(notice, settings)}\n")
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
        if settings.smtp_tls:
            server.starttls()
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)
