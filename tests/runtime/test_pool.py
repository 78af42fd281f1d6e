"""The worker's pool: whoever waits for somebody else's server holds one of its processes, and no second one."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, threading
from recovery.runtime.celery_app import QUEUE, Bell, add_tasks, make_app
from recovery.runtime.settings import SettingsInvalid

class Worker:
    def __init__(self):
        self.done = []
        self.left = 0
    def write_letters(self):
        if os.getpid() == parent:
            self.done.append("letters")
            return 0
        print("hangs", flush=True)
        signal.pause()
    def due_kinds(self):
        return {StepKind.SEND_EMAIL, StepKind.CHARGE_CARD}
    def tell_merchant(self):
        self.done.append("merchant")
        return 0
    def perform_steps(self):
        self.done.append("steps")
        self.left, done = 0, self.left
        return done
    process_events = sweep = keep_books = backfill = look_ahead = tell_merchant

from recovery.cases.lifecycle import StepKind
import recovery.runtime.celery_app as celery_app
celery_app.Wiring = Worker
parent, worker = os.getpid(), Worker()
app = make_app("memory://", ring_seconds=3)
key = []

def first(_worker):
    if key:
        raise SettingsInvalid(key[0])

add_tasks(app, lambda: worker, first=first)
ring = lambda bell: app.tasks[bell.value]()
out, into = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(into, 1)
    ring(Bell.LETTERS)
os.read(out, 5)
ring(Bell.LETTERS)
print(worker.done)
ring(Bell.MERCHANT)
ring(Bell.STEPS)
print(worker.done)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
ring(Bell.LETTERS)
print(worker.done)
worker.left = 1
ring(Bell.STEPS)
with app.connection_for_read() as connection:
    rung = connection.SimpleQueue(QUEUE)
    print([rung.get_nowait().headers["task"] for _ in range(rung.qsize())])

key.append("another account's")
worker.done.clear()
for bell in Bell:
    ring(bell)
print(len(worker.done), "bells of", len(Bell))
"""


def test_a_mail_server_that_hangs_holds_one_process_of_the_pool() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert [line for line in told.stdout.splitlines() if "error" not in line] == [
        "[]",
        "['merchant', 'steps']",
        "['merchant', 'steps', 'letters']",  # a process that dies gives its place back
        "['recovery.letters']",  # rung for by the step that planned one
        "2 bells of 8",  # what goes on with another account's key
    ]


SLOW = """
import os, signal, sys
import recovery.runtime.celery_app as celery_app
from recovery.runtime.celery_app import Bell, add_tasks, make_app

class Worker:
    done = []
    def slow(self):
        if os.getpid() == parent:
            self.done.append("a second process")
            return 0
        print("reads at length", flush=True)
        signal.pause()
    def perform_steps(self):
        self.done.append("steps")
        return 0
    def due_kinds(self):
        return set()
    look_ahead = keep_books = backfill = slow
    process_events = sweep = write_letters = tell_merchant = perform_steps

celery_app.Wiring = Worker
parent, worker = os.getpid(), Worker()
app = make_app("memory://", ring_seconds=3)
add_tasks(app, lambda: worker)
out, into = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(into, 1)
    app.tasks[sys.argv[1]]()
os.read(out, 5)
app.tasks[sys.argv[1]]()
app.tasks[Bell.STEPS]()
print(worker.done)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("bell", ["recovery.renewals", "recovery.books", "recovery.backfill"])
def test_what_reads_a_slow_gateway_at_length_holds_one_process_of_the_pool(bell: str) -> None:
    told = subprocess.run([sys.executable, "-c", SLOW, bell], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.splitlines() == ["['steps']"]
