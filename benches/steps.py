#!/usr/bin/env python3
"""Measures durable steps of the release build of factoryd: tasks of ten steps, and one task of a thousand.

    cargo build --release && python3 benches/steps.py [--seconds 5] [--connections 64]

Standard library only. A daemon in a temporary directory of its own runs tasks of a template whose model is `builtin/echo` and whose
answer is refined nine times: ten steps, each two synced records and nothing else. Told are tasks and steps by the second, the time
of a task and of a step (p99 from the journal: from a step's start to the next one's), what the store wrote for a step, and, of a
task of a thousand steps alone on the daemon, what its steps around the thousandth took against those around the tenth.
"""
import argparse, http.client, json, os, pathlib, shutil, signal, socket, statistics, subprocess, tempfile, time
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("FACTORY_BIN", ROOT / "target/release"))


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(home, method, path, body=None):
    c = Unix(home / "c.sock")
    c.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    answer = c.getresponse()
    return answer.status, answer.read().decode()


def template(home, ctl, name, passes):
    file = home / "templates" / f"{name}.json"
    document = {"name": name, "version": "1.0.0", "system_prompt": "Answer.", "model": {"route": "bench", "max_output_tokens": 64},
                "refine": {"passes": passes, "prompt": "Again."}, "dlp": {"outbound": "allow", "inbound": "allow"}}
    file.write_text(json.dumps(document))
    ctl("templates", "sign", file, "--key", "private/bench.pem")


def metric(home, name):
    text = ask(home, "GET", "/metrics")[1]
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)


def step_times(home, task):
    """Seconds between the starts of consecutive steps."""
    events, after = [], ""
    while True:
        page = json.loads(ask(home, "GET", f"/factory/tasks/{task}/events?limit=1000{after}")[1])
        events += page["items"]
        if not page.get("next"):
            break
        after = f"&after={page['next']}"
    starts = [datetime.fromisoformat(e["at"].replace("Z", "+00:00")).timestamp() for e in events if e["kind"] == "step_started"]
    return [b - a for a, b in zip(starts, starts[1:])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--runs", type=int, default=3)
    arguments = arguments.parse_args()
    home = pathlib.Path(tempfile.mkdtemp(prefix="steps-"))
    ctl = lambda *a: subprocess.run([BIN / "factoryctl", "--socket", home / "c.sock", *a], check=True, capture_output=True, cwd=home)
    daemon = None
    try:
        ctl("keys", "generate", "bench", "--out", "private")
        for directory in ("keys", "templates"):
            (home / directory).mkdir()
        shutil.copy(home / "private/bench.pub.pem", home / "keys")
        template(home, ctl, "ten", 9)
        template(home, ctl, "thousand", 999)
        (home / "f.toml").write_text('data_dir = "data"\ntemplates_dir = "templates"\nsocket = "c.sock"\n[templates]\ntrusted_keys_dir = "keys"\n'
                                     '[routes]\nbench = ["builtin/echo"]\n')
        daemon = subprocess.Popen([BIN / "factoryd", "--config", home / "f.toml"], cwd=home, stderr=open(home / "log", "w"))
        deadline = time.time() + 10
        while time.time() < deadline:
            try:
                if ask(home, "GET", "/ready")[0] == 200:
                    break
            except OSError:
                time.sleep(0.005)
        for _ in range(arguments.runs):
            before = metric(home, "factory_store_commit_records_sum"), metric(home, "factory_steps_total")
            out = ctl("--json", "bench", "tasks", "--template", "ten", "--connections", str(arguments.connections), "--duration", f"{arguments.seconds}s")
            after = metric(home, "factory_store_commit_records_sum"), metric(home, "factory_steps_total")
            report = json.loads(out.stdout)
            entries = (after[0] - before[0]) / max(1, after[1] - before[1])
            print(f"{report['per_second']:8.0f} tasks/s  {report['steps_per_second']:8.0f} steps/s  task p50 {report['p50_ms']:.1f} ms p99 {report['p99_ms']:.1f} ms"
                  f"  errors {report['errors']}  {entries:.2f} stored entries a step, all that belongs to its task included")
        page = json.loads(ask(home, "GET", "/factory/tasks?limit=200")[1])["items"]
        times = sorted(t for task in page if task["template_name"] == "ten" for t in step_times(home, task["task_id"]))
        print(f"step p50 {statistics.median(times) * 1e3:.2f} ms  p99 {times[int(len(times) * .99)] * 1e3:.2f} ms  of {len(times)} under load")
        early, late = [], []
        for _ in range(5 * arguments.runs):
            status, body = ask(home, "POST", "/factory/tasks?wait=60s", {"template_name": "thousand", "input": "Hello."})
            times = step_times(home, json.loads(body)["task_id"])
            early += times[5:45]
            late += times[955:995]
        cost = statistics.median(early), statistics.median(late)
        print(f"step 5 to 45: {cost[0] * 1e6:.0f} us  step 955 to 995: {cost[1] * 1e6:.0f} us  ratio {cost[1] / cost[0]:.2f}")
    finally:
        if daemon:
            daemon.send_signal(signal.SIGKILL)
            daemon.wait(30)
        shutil.rmtree(home, ignore_errors=True)


main()
