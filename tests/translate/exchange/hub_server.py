"""A Hub on the loopback address, for the real client: repositories with commits, LFS storage, tokens and refusals.

It speaks the endpoints that `huggingface_hub` uses to read and to commit, without Xet: model info, resolve, create,
validate-yaml, preupload, LFS batch and PUT, and commit.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_writer_of_the_loopback"  # may read private and gated repositories, and write
LARGE = (".safetensors", ".pth", ".png", ".bin")  # which go to LFS storage


@dataclass
class Repository:
    """Files by commit; `main` is the last one, and `tags` name others."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    message: str = ""

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a commit on top of the last one; return its hash."""
        tree = {**self.tree("main"), **files}
        name = hashlib.sha1(f"{len(self.commits)}{sorted(tree)}".encode()).hexdigest()
        self.commits[name] = tree
        self.tags["main"] = name
        return name

    def tree(self, revision: str) -> dict[str, bytes]:
        """The files of a branch, a tag or a commit."""
        return self.commits.get(self.tags.get(revision, revision), {})


class Hub(ThreadingHTTPServer):
    """The server; `repositories` by OWNER/NAME, `requests` as (method, path), `stored` by SHA-256."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self.stored: dict[str, bytes] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, files: dict[str, bytes], *, private: bool = False, gated: bool = False) -> Repository:
        """Create a repository with these files in its first commit."""
        self.repositories[name] = Repository(private=private, gated=gated)
        self.repositories[name].commit(files)
        return self.repositories[name]


class _RefusalError(Exception):
    def __init__(self, status: int, code: str = "", message: str = "", **facts: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.facts = status, code, message, facts


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(self._read)

    def do_HEAD(self) -> None:
        self._answer(self._read)

    def do_POST(self) -> None:
        self._answer(self._write)

    def do_PUT(self) -> None:
        self._answer(self._store)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, handle: Any) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._read_chunks()
        try:
            headers, content = handle(path, body)
            status = 200
        except _RefusalError as refusal:
            status, content = refusal.status, json.dumps({"error": refusal.message, **refusal.facts}).encode()
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _login(self) -> str | None:
        sent = self.headers.get("Authorization")
        if sent is not None and sent != f"Bearer {TOKEN}":
            raise _RefusalError(401, message="Invalid credentials in Authorization header")
        return sent

    def _repository(self, name: str) -> Repository:
        repository, login = self.server.repositories.get(name), self._login()
        if repository is None or (repository.private and login is None):
            raise _RefusalError(404 if login else 401, "RepoNotFound", "Repository not found")
        return repository

    def _tree(self, repository: Repository, revision: str) -> tuple[str, dict[str, bytes]]:
        commit = repository.tags.get(revision, revision)
        if commit not in repository.commits:
            raise _RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, repository.commits[commit]

    def _read(self, path: str, body: bytes) -> tuple[dict[str, str], bytes]:
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            repository = self._repository(found[1])
            commit, tree = self._tree(repository, found[2] or "main")
            info = {
                "_id": "0",
                "id": found[1],
                "modelId": found[1],
                "sha": commit,
                "private": repository.private,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "siblings": [{"rfilename": name} for name in tree],
            }
            return {"Content-Type": "application/json"}, json.dumps(info).encode()
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+|refs/pr/\d+)/(.+)", path):
            repository = self._repository(found[1])
            if repository.gated and self._login() is None:
                raise _RefusalError(401, "GatedRepo", "Access to this model is restricted")
            commit, tree = self._tree(repository, found[2])
            if found[3] not in tree:
                raise _RefusalError(404, "EntryNotFound", "Entry not found")
            content = tree[found[3]]
            etag = hashlib.sha256(content).hexdigest()
            return {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}, content
        raise _RefusalError(404, message=f"no such page: {path}")

    def _write(self, path: str, body: bytes) -> tuple[dict[str, str], bytes]:
        as_json = {"Content-Type": "application/json"}
        if path == "/api/validate-yaml":
            head = json.loads(body)["content"].split("---\n")[1]
            try:
                fields = yaml.safe_load(head)
            except yaml.YAMLError as error:
                raise _RefusalError(400, message=str(error)) from None
            if not isinstance(fields.get("license"), str) or not isinstance(fields.get("tags", []), list):
                raise _RefusalError(400, message="license is no text, or tags no list")
            return as_json, json.dumps({"warnings": [], "errors": []}).encode()
        if self._login() is None:
            raise _RefusalError(401, message="Unauthorized")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            if name in self.server.repositories:
                raise _RefusalError(409, message="You already created this model repo", url=f"{self.server.url}/{name}")
            self.server.add(name, {}, private=asked.get("visibility") == "private")
            return as_json, json.dumps({"url": f"{self.server.url}/{name}", "name": name}).encode()
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/(.+)", path):
            self._repository(found[1])
            files = [
                {
                    "path": file["path"],
                    "shouldIgnore": False,
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                }
                for file in json.loads(body)["files"]
            ]
            return as_json, json.dumps({"files": files}).encode()
        if found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._repository(found[1])
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
                if one["oid"] not in self.server.stored
            ]
            return {"Content-Type": "application/vnd.git-lfs+json"}, json.dumps({"objects": objects}).encode()
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/(.+)", path):
            return as_json, json.dumps(self._commit(found[1], body)).encode()
        raise _RefusalError(404, message=f"no such page: {path}")

    def _commit(self, name: str, body: bytes) -> dict[str, Any]:
        repository, files = self._repository(name), {}
        for line in map(json.loads, body.splitlines()):
            key, value = line["key"], line["value"]
            if key == "header":
                repository.message = value["summary"]
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif value["oid"] not in self.server.stored:
                raise _RefusalError(400, message=f"{value['path']}: its content was not uploaded")
            else:
                files[value["path"]] = self.server.stored[value["oid"]]
        commit = repository.commit(files)
        return {"commitOid": commit, "commitUrl": f"{self.server.url}/{name}/commit/{commit}", "success": True}

    def _store(self, path: str, body: bytes) -> tuple[dict[str, str], bytes]:
        digest = path.rpartition("/")[2]
        if hashlib.sha256(body).hexdigest() != digest:
            raise _RefusalError(400, message="the content has another hash")
        self.server.stored[digest] = body
        return {}, b""
