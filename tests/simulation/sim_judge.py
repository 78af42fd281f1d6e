"""Hands a simulated run to the checkers. Without it they would know how the simulation keeps what it sees."""

from datetime import timedelta

import sim_checks
from sim_play import Run
from sim_view import Seen, View, Visited, rows_of

LATE = timedelta(seconds=900)
"""The longest lease (three charges in a row), and a pause."""


def judge(run: Run) -> list[str]:
    """Every violation found in a run that was played to its end, in words."""
    visits = run.visits
    seen = Seen(
        books=run.books,
        notices=run.post.notices,
        accepted=run.post.accepted,
        mails=run.mailer.left,
        editions=run.editions,
        visits=Visited(left=visits.left, unsubscribed=visits.unsubscribed, wrong=visits.wrong),
        driven=run.clocks.driven,
        late=LATE,
    )
    return sim_checks.judge(View(rows_of(run.database), seen), sim_checks.all_ended)
