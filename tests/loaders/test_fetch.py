"""Fetching from a server on the loopback interface that is good, wrong, cut short, slow or down."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import immunosarc as ims
from immunosarc import cli
from immunosarc.loaders import fetch_files

CLINICAL = b"id\tbor\nP1\tPR\nP2\tPD\n"
DIGEST = hashlib.sha256(CLINICAL).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/slow":
            self.server.wait.wait(5)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CLINICAL)))
        self.end_headers()
        self.wfile.write({"/cut": CLINICAL[:9], "/wrong": CLINICAL[::-1]}.get(self.path, CLINICAL))

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    serving = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    serving.asked, serving.wait = [], threading.Event()
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield serving
    serving.wait.set()
    serving.shutdown()
    serving.server_close()
    thread.join()


def _manifest(
    folder: Path, url: str | None, *, file: str = "in/clinical.tsv", sha256: str | None = DIGEST
) -> Path:
    lines = ['name = "toy"', 'source = "a friend"', "[patients]", f'file = "{file}"']
    lines += [f'url = "{url}"'] if url else []
    lines += [f'sha256 = "{sha256}"'] if sha256 else []
    lines += ['columns = { patient_id = "id", best_overall_response = "bor" }']
    path = folder / "toy.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _url(server: ThreadingHTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def _left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_good_file_is_fetched_once(server, tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, _url(server, "/clinical.tsv"))
    assert fetch_files(manifest).to_dict("records") == [{"file": "in/clinical.tsv", "status": "fetched"}]
    assert (tmp_path / "in" / "clinical.tsv").read_bytes() == CLINICAL
    assert ims.load_cohort(manifest).patients["best_overall_response"].tolist() == ["PR", "PD"]
    assert fetch_files(manifest)["status"].tolist() == ["present"]
    assert server.asked == ["/clinical.tsv"]
    assert _left(tmp_path) == ["in", "in/clinical.tsv", "toy.toml"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/wrong", "does not have the SHA-256"),
        ("/cut", "in/clinical.tsv: "),
        ("/gone", "cannot be fetched from .*404"),
    ],
)
def test_what_goes_wrong_leaves_nothing_behind(server, tmp_path: Path, path: str, message: str) -> None:
    manifest = _manifest(tmp_path, _url(server, path))
    with pytest.raises(ims.errors.DataFileError, match=message):
        fetch_files(manifest)
    assert server.asked == [path]
    assert _left(tmp_path) == ["toy.toml"]


def test_a_server_that_says_nothing(server, tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, _url(server, "/slow"))
    with pytest.raises(ims.errors.DataFileError, match="cannot be fetched"):
        fetch_files(manifest, timeout=0.3)
    assert _left(tmp_path) == ["toy.toml"]


def test_a_server_that_is_down(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    manifest = _manifest(tmp_path, f"http://127.0.0.1:{port}/clinical.tsv")
    with pytest.raises(ims.errors.DataFileError, match=r"cannot be fetched from http://127\.0\.0\.1"):
        fetch_files(manifest)
    assert _left(tmp_path) == ["toy.toml"]


def test_another_file_of_that_name_is_not_replaced(server, tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, _url(server, "/clinical.tsv"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "clinical.tsv").write_bytes(b"mine")
    with pytest.raises(ims.errors.DataFileError, match="it is not replaced: move it away"):
        fetch_files(manifest)
    assert (tmp_path / "in" / "clinical.tsv").read_bytes() == b"mine"
    assert server.asked == []


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (
            {"url": None},
            ims.errors.DataFileError,
            r"is missing and has no url; get it from its source \(a friend\)",
        ),
        ({"sha256": None}, ims.errors.ManifestError, "url needs sha256"),
        ({"url": "ftp://127.0.0.1/clinical.tsv"}, ims.errors.ManifestError, "starts with http:// or https://"),
        ({"url": "file:///etc/hostname"}, ims.errors.ManifestError, "starts with http:// or https://"),
        ({"file": "../clinical.tsv"}, ims.errors.DataFileError, "the path leaves the data root"),
        ({"file": "/tmp/clinical.tsv"}, ims.errors.DataFileError, "the path leaves the data root"),
        ({"file": "."}, ims.errors.DataFileError, "the path leaves the data root"),
    ],
)
def test_what_is_never_asked_for(server, tmp_path: Path, more: dict, error: type, message: str) -> None:
    manifest = _manifest(tmp_path, **({"url": _url(server, "/clinical.tsv")} | more))
    with pytest.raises(error, match=message):
        fetch_files(manifest)
    assert server.asked == []
    assert _left(tmp_path) == ["toy.toml"]


def test_a_link_out_of_the_root_is_not_followed(server, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "in").symlink_to(tmp_path / "outside")
    manifest = _manifest(tmp_path, _url(server, "/clinical.tsv"))
    with pytest.raises(ims.errors.DataFileError, match="the path leaves the data root"):
        fetch_files(manifest, data_root=tmp_path / "root")
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_command_says_what_it_did(server, tmp_path: Path, capsys) -> None:
    manifest = _manifest(tmp_path, _url(server, "/clinical.tsv"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fetch", str(manifest), "--data-root", str(tmp_path / "data")])
    assert stopped.value.code in (0, None)
    assert capsys.readouterr().out == "fetched\tin/clinical.tsv\n"
    assert (tmp_path / "data" / "in" / "clinical.tsv").read_bytes() == CLINICAL
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fetch", str(_manifest(tmp_path, _url(server, "/wrong"), file="other.tsv"))])
    assert stopped.value.code == 2
    assert "does not have the SHA-256" in capsys.readouterr().err
