"""What a device must not be told is found, and named."""

import pytest

from chatsim.experiments.delivery.experiment import Delivery, check_pushed
from chatsim.experiments.history import Operation
from chatsim.experiments.talk.checks import SentText

TEXT = "a text of thirty-two characters."
SENT = [
    Operation(
        0, at, "send", {"thread": 5, "unique_id": f"u{at}"}, at, at, at + 1, value={"acknowledged": 0.1, "pushed": 0.2}
    )
    for at in range(3)
]
ONE, TWO, THREE = (SentText(5, 1, f"u{at}", TEXT) for at in range(3))


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        ([ONE, TWO, THREE], []),
        ([ONE, TWO], []),  # what is late is an error of the text, and is timed
        ([TWO, ONE, THREE], ["disordered"]),
        ([ONE, TWO, TWO, THREE], ["doubled"]),
        ([ONE, TWO, THREE, SentText(5, 1, "u9", TEXT)], ["forged"]),
        ([ONE, TWO, SentText(6, 1, "u2", TEXT)], ["forged"]),
        ([ONE, TWO, SentText(5, 2, "u2", TEXT)], ["forged"]),
        ([ONE, TWO, SentText(5, 1, "u2", "another text")], ["forged"]),
    ],
)
def test_what_was_pushed_is_compared_with_what_was_sent(heard, kinds):
    assert [each.kind for each in check_pushed(SENT, 1, heard)] == kinds


def test_it_makes_the_row_of_the_push_unsafe():
    wrong = [*check_pushed(SENT, 1, [ONE, TWO, TWO])]
    assert Delivery.variant({}, "pushed", 1.0, SENT, wrong)["verdict"] == "unsafe"
    assert Delivery.variant({}, "pushed", 1.0, SENT)["verdict"] == "safe"
