"""The customer's links hold against guessing, changing and reuse."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.dunning.links import For, LinkRefused, Links

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(days=30)
LINKS = Links(
    base_url="https://pay.example.org", secrets=("the first secret, long enough", "an older secret, long too")
)
TOKEN = LINKS.token("case_in_1", until=UNTIL)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def _opens(token: str, *, now: datetime = NOW, purpose: For = For.PAGE) -> str | None:
    """The case that a token opens, or None. Anything but LinkRefused fails the test."""
    try:
        return LINKS.case_of(token, now=now, purpose=purpose)[0]
    except LinkRefused:
        return None


@given(st.text(max_size=500))
def test_no_text_opens_anything(token: str) -> None:
    assert _opens(token) is None


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(ALPHABET))
def test_a_token_with_another_letter_opens_at_most_the_same_case(place: int, letter: str) -> None:
    """The last letter of base64 carries bits that nobody reads: the same signature may be spelt in several ways."""
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    opened = _opens(changed)
    assert opened in ((None, "case_in_1") if place == len(TOKEN) - 1 else (None,)) or changed == TOKEN


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_the_signature_of_one_case_is_none_for_another(mine: str, other: str) -> None:
    own, foreign = LINKS.token(mine, until=UNTIL), LINKS.token(other, until=UNTIL)
    swapped = foreign.rpartition(".")[0] + "." + own.rpartition(".")[2]
    assert _opens(swapped) == (mine if mine == other else None)
    longer = LINKS.token(mine, until=UNTIL + timedelta(days=365))
    stretched = longer.rpartition(".")[0] + "." + own.rpartition(".")[2]
    assert _opens(stretched) is None, "its end cannot be moved"


@pytest.mark.parametrize("made", For)
@pytest.mark.parametrize("used", For)
def test_a_token_serves_one_purpose_until_its_end(made: For, used: For) -> None:
    token = LINKS.token("case_in_1", until=UNTIL, purpose=made)
    assert _opens(token, purpose=used) == ("case_in_1" if made is used else None)
    assert _opens(token, now=UNTIL + timedelta(seconds=1), purpose=made) is None


def test_secrets_can_be_replaced_while_links_are_under_way() -> None:
    older = Links(base_url="", secrets=LINKS.secrets[1:])
    assert _opens(older.token("case_in_1", until=UNTIL)) == "case_in_1"
    assert older.secrets[0] not in repr(LINKS)
    with pytest.raises(LinkRefused):
        older.case_of(TOKEN, now=NOW)


def test_a_signature_has_too_many_bits_to_be_guessed() -> None:
    """160 bits or more: a thousand million guesses a second would take longer than there has been time."""
    assert len(TOKEN.rpartition(".")[2]) * 6 >= 160
