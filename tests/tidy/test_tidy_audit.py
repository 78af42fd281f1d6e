"""The audit of the pinned packages tells an advisory, a clean list and a silent service apart."""

import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tidy_support import PROJECT

PINS = "# made by make lock\nrequests==2.30.0\njinja2==3.1.6\n"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PROJECT / "tools/audit.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@contextmanager
def service(results: list[dict[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """An OSV server that answers with these; its address and what it was asked."""
    heard: list[Any] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps({"results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/querybatch", heard
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pins(tmp_path: Path) -> str:
    (tmp_path / "constraints.txt").write_text(PINS)
    return str(tmp_path / "constraints.txt")


def test_an_advisory_is_told_and_fails(audit: ModuleType, pins: str, capsys: pytest.CaptureFixture[str]) -> None:
    with service([{"vulns": [{"id": "GHSA-j8r2-6x86-q33q"}]}, {}]) as (url, heard):
        assert audit.main(["--service", url, "--pins", pins]) == audit.FOUND
    assert "requests 2.30.0: GHSA-j8r2-6x86-q33q" in capsys.readouterr().out
    assert [query["package"]["name"] for query in heard[0]["queries"]] == ["requests", "jinja2"]
    with service([{}, {}]) as (url, _):
        assert audit.main(["--service", url, "--pins", pins, "--strict"]) == audit.CLEAN


@pytest.mark.parametrize("results", [[{}], None])
def test_a_service_that_does_not_answer_is_no_clean_bill(
    audit: ModuleType, pins: str, capsys: pytest.CaptureFixture[str], results: list[dict[str, Any]] | None
) -> None:
    with service(results or []) as (url, _):
        asked = url if results is not None else "http://127.0.0.1:1/"
        assert audit.main(["--service", asked, "--pins", pins]) == audit.CLEAN
        assert audit.main(["--service", asked, "--pins", pins, "--strict"]) == audit.SKIPPED
    assert capsys.readouterr().out.count("SKIPPED, nothing was checked") == 2


def test_everything_that_is_pinned_is_asked_about(audit: ModuleType) -> None:
    text = (PROJECT / "constraints.txt").read_text()
    assert len(audit.pinned(text)) == sum("==" in line and not line.startswith("#") for line in text.splitlines())
