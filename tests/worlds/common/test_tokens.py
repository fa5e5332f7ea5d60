"""A signed token proves a login to whoever has the key: one user's, for a while, to the letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.chat.ports import TokenError
from chatsim.worlds.common.tokens import LIFETIME, SignedTokens

UID = 1019
START = 1_700_000_000


class Clock:
    """A wall clock that stands still until it is moved."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now


def result(coroutine):
    """What a coroutine returns that waits for nothing; an event loop for each token would take most of the time."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def issued(tokens, uid=UID):
    return result(tokens.issue(uid))


def complaint(tokens, token, uid=UID):
    """Why ``token`` is refused, or None when it is good."""
    try:
        result(tokens.check(uid, token))
    except TokenError as error:
        return str(error)
    return None


TOKENS = SignedTokens(b"key", Clock())
GOOD = issued(TOKENS)


@pytest.mark.parametrize("uid", [0, 1, UID, 2**63 - 1])
def test_a_token_is_good_for_whom_it_was_issued_to_at_every_server_with_the_key(uid):
    token = issued(TOKENS, uid)
    assert complaint(TOKENS, token, uid) is None
    assert complaint(SignedTokens(b"key", Clock()), token, uid) is None


@pytest.mark.parametrize("uid", [0, 1, 101, 10, UID + 1, -UID])
def test_a_token_is_good_for_nobody_else(uid):
    assert complaint(TOKENS, GOOD, uid) == "the token is somebody else's"


def test_a_token_of_another_key_is_none():
    assert complaint(SignedTokens(b"another", Clock()), GOOD) == "the token is not one of ours"


BYTES = [chr(code) for code in range(256)]  # the alphabet of base64, what its decoder passes over, and the rest


def test_a_token_has_one_spelling_which_no_decoder_of_base64_would_insist_on():
    """The signature has every kind of bit that decoders ignore or read in two ways."""
    everything = "".join(issued(TOKENS, uid).rpartition(".")[2] for uid in range(1_000, 1_100))
    assert {"-", "_"} <= {*everything}
    assert len(GOOD.rpartition(".")[2]) % 4 == 3, "the last character has spare bits"


@pytest.mark.parametrize("uid", [UID, *range(1_000, 1_010)])
def test_a_token_with_any_one_character_changed_is_none(uid):
    good = issued(TOKENS, uid)
    for at, right in enumerate(good):
        for character in BYTES:
            if character != right:
                changed = good[:at] + character + good[at + 1 :]
                assert complaint(TOKENS, changed, uid) == "the token is not one of ours", (at, character)


def test_a_token_with_any_one_character_more_is_none():
    for at in range(len(GOOD) + 1):
        for character in BYTES:
            changed = GOOD[:at] + character + GOOD[at:]
            assert complaint(TOKENS, changed) == "the token is not one of ours", (at, character)


def test_a_token_with_any_one_character_less_is_none():
    for at in range(len(GOOD)):
        assert complaint(TOKENS, GOOD[:at] + GOOD[at + 1 :]) == "the token is not one of ours", at


@given(at=st.integers(0, len(GOOD) - 1), character=st.characters(codec=None))
def test_nor_is_it_with_any_other_character_of_the_world_in_its_place(at, character):
    if character != GOOD[at]:
        assert complaint(TOKENS, GOOD[:at] + character + GOOD[at + 1 :]) == "the token is not one of ours"


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_token_cut_short_is_none(length):
    assert complaint(TOKENS, GOOD[:length]) == "the token is not one of ours"


@given(st.text(max_size=200))
def test_garbage_is_no_token(text):
    assert complaint(TOKENS, text) == "the token is not one of ours"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "1019", "1019.", "1019..", "你好", "1019.Zé.ü", "\0", " ", GOOD * 2, "x" * 100_000]
)
def test_nor_are_these(text):
    assert complaint(TOKENS, text) == "the token is not one of ours"


@pytest.mark.parametrize("start", [0, 1, START, START + 0.999])
def test_a_token_is_good_for_its_lifetime_by_the_clock_it_was_given_and_not_a_second_longer(start):
    clock = Clock(start)
    tokens = SignedTokens(b"key", clock, lifetime=60)
    token = issued(tokens)
    assert complaint(tokens, token) is None
    clock.now = int(start) + 60
    assert complaint(tokens, token) is None
    clock.now = int(start) + 61
    assert complaint(tokens, token) == "the token has expired"


def test_a_token_is_good_for_a_day_if_nobody_says_otherwise():
    clock = Clock(0)
    tokens = SignedTokens(b"key", clock)
    token = issued(tokens)
    clock.now = LIFETIME
    assert complaint(tokens, token) is None
    clock.now = LIFETIME + 1
    assert complaint(tokens, token) == "the token has expired"


def test_a_token_that_has_expired_is_so_for_everybody():
    clock = Clock(0)
    tokens = SignedTokens(b"key", clock, lifetime=60)
    token = issued(tokens)
    clock.now = 1_000
    assert complaint(tokens, token, UID + 1) == "the token has expired"


def test_a_token_of_tomorrow_is_not_good_today():
    assert complaint(SignedTokens(b"key", Clock(START - 1)), GOOD) == "the token has expired"
