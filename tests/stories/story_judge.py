"""Judges a life when it is over, against the gateway's own book. Without it each story would check only what it thought of."""

import pytest
from sqlalchemy import text
from story_support import Begin, Life, Mails, beginning
