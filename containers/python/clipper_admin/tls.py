"""TLS of clients: what is trusted, and errors that say what to do."""

import ssl
from typing import Mapping, NamedTuple, Optional

from .address import Target
from .exceptions import ClipperException


class TlsError(ClipperException, OSError):
    """No encrypted connection can be made, or the server ended it."""

    def __init__(self, text: str) -> None:
        ClipperException.__init__(self, text)


class Tls(NamedTuple):
    """What a client trusts and how it shows who it is.

    Attributes:
        ca: file of the authorities that are trusted, PEM; None for those
            of the system.
        certificate: file of the client's certificate, PEM; it may have the
            key, too.
        key: file of the client's key, PEM.
        verify: whether the server's certificate and name are checked.
        context: replaces all the others.
    """

    ca: Optional[str] = None
    certificate: Optional[str] = None
    key: Optional[str] = None
    verify: bool = True
    context: Optional[ssl.SSLContext] = None


def make_context(to: Target, tls: Tls) -> Optional[ssl.SSLContext]:
    """The context of connections to a server; None without TLS.

    Raises:
        ClipperException: the settings are for https and the address is not,
            or a file cannot be used.
    """
    if not to.tls:
        if tls != Tls():
            raise ClipperException(
                "The address %s is not encrypted: ca, certificate, key, "
                "verify and ssl_context need an address that begins with "
                "https://" % to.text
            )
        return None
    if tls.context is not None:
        if tls != Tls(context=tls.context):
            raise ClipperException(
                "ssl_context replaces ca, certificate, key and verify: give "
                "one or the other"
            )
        return tls.context
    if tls.key and not tls.certificate:
        raise ClipperException("key needs certificate, the client's own")
    context = _trusting(tls.ca)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        _load_certificate(context, tls.certificate, tls.key)
    return context


def _trusting(ca: Optional[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ClipperException(
            "ca=%r cannot be used: %s. It is a file with certificates in PEM "
            "form" % (ca, error)
        ) from error


def _load_certificate(
    context: ssl.SSLContext, certificate: str, key: Optional[str]
) -> None:
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except (OSError, ClipperException) as error:
        raise ClipperException(
            "certificate=%r with key=%r cannot be used: %s. They are files "
            "in PEM form, and the key is that of the certificate"
            % (certificate, key, error)
        ) from error


def _no_password() -> str:
    # OpenSSL would ask at the terminal.
    raise ClipperException(
        "the key has a password. Give ssl_context= with the key loaded"
    )


def explain(error: ssl.SSLError, to: Target) -> TlsError:
    """The error of a connection, with what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        # Codes of X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH.
        if error.verify_code in (62, 64):
            advice = "connect by a name in the certificate"
        elif error.verify_code in (9, 10):
            advice = "renew it, or set this host's clock"
        else:
            advice = "name the file of the authority that signed it with ca="
        return TlsError(
            "The certificate of %s is not accepted (%s): %s"
            % (to.text, reason, advice)
        )
    reason = error.reason or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL",
                  "RECORD_LAYER_FAILURE"):
        advice = "does this port speak TLS? Without it use http://"
    elif "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        advice = "the server may ask for certificate= and key="
    elif "ALERT" in reason and "CERT" in reason or "UNKNOWN_CA" in reason:
        advice = "the server refuses the certificate that certificate= names"
    else:
        advice = "see the server's error log"
    return TlsError(
        "No encrypted connection to %s (%s): %s" % (to.text, reason, advice)
    )


#: What nginx answers to a request that does not fit its TLS -> advice.
_ADVICE: Mapping[bytes, str] = {
    b"plain HTTP request was sent to HTTPS port":
        "The server speaks TLS: use https://",
    b"No required SSL certificate was sent":
        "The server asks for certificate= and key=",
    b"The SSL certificate error":
        "The server refuses the certificate that certificate= names",
}


def advice(body: bytes) -> str:
    """What to do about an error of nginx's TLS; empty for other errors."""
    for text, what in _ADVICE.items():
        if text in body:
            return what
    return ""
