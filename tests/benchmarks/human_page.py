"""Does the page that asks people work in a real browser? Chromium, without a window, is driven over its own protocol.

    python tests/benchmarks/human_page.py [CHROMIUM]

A page of eight pairs is opened; its pictures are clicked and its keys pressed so that the redder picture wins, once
going back; the saved answers have to say so. Needs a `chromium` and nothing else: the protocol runs through pipes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from translate.evaluation.human import score_answers, write_human_page

COUNT = 8


class Browser:
    """A headless Chromium on two pipes: commands in, answers out, each ended by a zero byte."""

    def __init__(self, program: str, profile: Path) -> None:
        (self._read_in, self._write_in), (self._read_out, self._write_out) = os.pipe(), os.pipe()

        def place_pipes() -> None:
            os.dup2(self._read_in, 3)
            os.dup2(self._write_out, 4)

        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            [program, *arguments, f"--user-data-dir={profile}"], pass_fds=(3, 4), preexec_fn=place_pipes,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        self._rest = b""
        self.session: str | None = None

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self._write_in, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                self._rest += os.read(self._read_out, 1 << 16)
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    def open(self, page: Path) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=page.as_uri())
        while not self.evaluate(
            "document.readyState === 'complete' && document.getElementById('left')?.naturalWidth > 0"
        ):
            time.sleep(0.1)

    def click(self, element: str) -> None:
        box = self.evaluate(f"(() => {{const b = document.getElementById('{element}').getBoundingClientRect();"
                            "return [b.x + b.width / 2, b.y + b.height / 2]})()")  # fmt: skip
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)


def main() -> None:
    program = sys.argv[1] if sys.argv[1:] else shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, level in (("ours", 200), ("theirs", 90)):
            (folder / side).mkdir()
            for index in range(COUNT):
                Image.new("RGB", (64 + index, 48), (level, 60, 60)).save(folder / side / f"{index}.png")
        write_human_page(folder / "ours", folder / "theirs", folder / "page.html")
        browser = Browser(program, folder / "profile")
        try:
            browser.open(folder / "page.html")
            redder = (
                "(async () => {const red = async (id) => {const i = document.getElementById(id); await i.decode();"
                "const c = document.createElement('canvas').getContext('2d'); c.drawImage(i, 0, 0);"
                "return c.getImageData(0, 0, 1, 1).data[0]}; return await red('left') > await red('right')})()"
            )
            for index in range(COUNT):
                left = browser.evaluate(redder)
                if index == 3:  # a wrong answer, taken back
                    browser.press("ArrowRight" if left else "ArrowLeft")
                    browser.press("Backspace")
                    assert browser.evaluate(redder) == left
                if index % 2:
                    browser.press("ArrowLeft" if left else "ArrowRight")
                else:
                    browser.click("left" if left else "right")
            assert browser.evaluate("document.getElementById('question').textContent") == "Thank you"
            text = browser.evaluate("fetch(document.getElementById('save').href).then((a) => a.text())")
            sides = browser.evaluate("answers.map((a) => a.side).join()")
        finally:
            browser.process.terminate()
            browser.process.wait()
        (folder / "answers.json").write_text(text, encoding="utf-8")
        score = score_answers([folder / "answers.json"])
        print(f"sides chosen: {sides}")
        low, high = score.interval
        print(f"ours over theirs: {score.chosen} of {score.answers}, 95 % {low:.3f} to {high:.3f}")
        assert (score.chosen, score.answers) == (COUNT, COUNT)


if __name__ == "__main__":
    main()
