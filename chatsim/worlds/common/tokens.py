"""The `Tokens` port without a store: every server that has the key can check a token."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner

from chatsim.chat.ports import TokenError

__all__ = ["LIFETIME", "SignedTokens"]

LIFETIME = 86_400
"""The default lifetime of a token, in seconds."""


class SignedTokens:
    """Tokens that contain the user id and the time of issue, signed (HMAC) with a key that all servers share.

    Args:
        key: the secret key.
        clock: the wall time in seconds, the same for all servers.
        lifetime: the lifetime of a token, in whole seconds.
    """

    def __init__(self, key: bytes, clock: Callable[[], float], lifetime: int = LIFETIME) -> None:
        self._signer = _Signer(key, clock)
        self._lifetime = lifetime

    async def issue(self, uid: int) -> str:
        """A token for ``uid``."""
        return self._signer.sign(str(uid)).decode()

    async def check(self, uid: int, token: str) -> None:
        """Raise a `TokenError` unless ``token`` is valid for ``uid``."""
        try:
            owner = self._signer.unsign(token, max_age=self._lifetime)
        except SignatureExpired as error:
            raise TokenError("the token has expired") from error
        except (BadSignature, UnicodeEncodeError) as error:
            raise TokenError("the token is not one of ours") from error
        if owner != str(uid).encode():
            raise TokenError("the token is somebody else's")


class _Signer(TimestampSigner):
    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        super().__init__(key, salt="chatsim.login")
        self._clock = clock

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Whether ``sig`` is the signature of ``value``, character by character.

        Decoding it first, as `itsdangerous` does, would accept other texts for the same bytes: base64 decoders read
        ``/`` as ``_``, skip foreign characters, and ignore the spare bits of the last character.
        """
        given = sig.encode() if isinstance(sig, str) else sig
        return hmac.compare_digest(self.get_signature(value), given)

    def get_timestamp(self) -> int:
        return int(self._clock())
