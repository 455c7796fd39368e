"""The five TLS levels, in one meaning for every engine."""

from __future__ import annotations

from pathlib import Path

from dbtool.errors import ProfileError
from dbtool.profiles.active.unchecked import is_here
from dbtool.profiles.model import Target, TlsLevel

VERIFYING = frozenset({TlsLevel.VERIFY_CA, TlsLevel.VERIFY_FULL})

# Where distributions keep the machine's own authorities; a driver that brings its own OpenSSL looks elsewhere.
_SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def authorities_file(target: Target) -> str:
    """Return the file of certificate authorities that `target` trusts: its own, else the machine's.

    Raises ProfileError when there is none to verify against, or when the profile's cannot be read.
    """
    if target.tls_ca is not None:
        if not Path(target.tls_ca).is_file():
            raise ProfileError(f"profile {target.name!r} ({target.origin}): tls_ca: no such file: {target.tls_ca}")
        return target.tls_ca
    import ssl  # takes 10 ms, and most profiles verify nothing

    candidates = (ssl.get_default_verify_paths().cafile, *_SYSTEM_AUTHORITIES)
    for candidate in candidates:
        if candidate is not None and Path(candidate).is_file():
            return candidate
    raise ProfileError(
        f"profile {target.name!r} ({target.origin}): tls = {target.tls.value!r} needs an authority to verify against: "
        "set tls_ca to its certificate file"
    )


def leaves_machine(target: Target) -> bool:
    """Say whether the connection's bytes can be seen outside this machine."""
    if target.socket is not None or target.host is None or target.host.startswith(("/", "@")):
        return False
    return not is_here(dict(target.libpq).get("hostaddr", target.host))


def plain_warning(target: Target) -> str:
    """Word the one warning for a connection that left the machine unencrypted."""
    return (
        f"the connection to {target.host} is not encrypted: the server offers no TLS; "
        "set tls = 'require' to refuse that, or tls = 'disable' to accept it"
    )
