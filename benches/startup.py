#!/usr/bin/env python3
"""Measures the release build of factoryd from start to ready, and its idle memory, on an empty and on a used data directory.

    cargo build --release && python3 benches/startup.py [--runs 20] [--tasks 20000]

Standard library only. Each run starts a daemon with the six shipped templates, signed, in a temporary directory of its own, and
asks GET /ready over the control socket as fast as it can until the answer is 200. The neighbour in the same run is the start of
`factoryctl --version`, which is what starting any process costs here. The used directory is filled by `factoryctl bench tasks`.
Prints medians and 95th percentiles in milliseconds, and resident memory in megabytes two seconds after ready.
"""
import argparse, http.client, os, pathlib, shutil, signal, socket, statistics, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("FACTORY_BIN", ROOT / "target/release"))


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ready(sock):
    try:
        c = Unix(sock)
        c.request("GET", "/ready")
        return c.getresponse().status == 200
    except OSError:
        return False


def start(home):
    began = time.perf_counter()
    daemon = subprocess.Popen([BIN / "factoryd", "--config", home / "f.toml"], cwd=home, stderr=subprocess.DEVNULL)
    while not ready(home / "c.sock"):
        if daemon.poll() is not None:
            raise SystemExit("the daemon ended instead of getting ready")
    return daemon, (time.perf_counter() - began) * 1000


def stop(daemon, how=signal.SIGTERM):
    daemon.send_signal(how)
    daemon.wait(30)


def resident(daemon):
    text = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    return int(next(l for l in text.splitlines() if l.startswith("VmRSS")).split()[1]) / 1024


def told(name, times):
    times = sorted(times)
    print(f"{name:34} median {statistics.median(times):7.1f} ms   p95 {times[int(len(times) * .95) - 1]:7.1f} ms   of {len(times)}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--tasks", type=int, default=20_000)
    arguments = arguments.parse_args()
    home = pathlib.Path(tempfile.mkdtemp(prefix="startup-"))
    ctl = lambda *a: subprocess.run([BIN / "factoryctl", "--socket", home / "c.sock", *a], check=True, capture_output=True, cwd=home)
    try:
        shutil.copytree(ROOT / "templates", home / "templates")
        ctl("keys", "generate", "bench", "--out", "private")
        (home / "keys").mkdir()
        shutil.copy(home / "private/bench.pub.pem", home / "keys")
        ctl("templates", "sign", *sorted(map(str, (home / "templates").glob("*.json"))), "--key", "private/bench.pem")
        (home / "f.toml").write_text('data_dir = "data"\ntemplates_dir = "templates"\nsocket = "c.sock"\n[templates]\ntrusted_keys_dir = "keys"\n')
        neighbour, empty, used = [], [], []
        for _ in range(arguments.runs):
            began = time.perf_counter(); subprocess.run([BIN / "factoryctl", "--version"], capture_output=True)
            neighbour.append((time.perf_counter() - began) * 1000)
            shutil.rmtree(home / "data", ignore_errors=True)
            daemon, took = start(home); empty.append(took); stop(daemon)
        told("a process that prints its version", neighbour)
        told("start to ready, empty directory", empty)
        shutil.rmtree(home / "data", ignore_errors=True)
        daemon, _ = start(home)
        time.sleep(2); print(f"{'idle memory, empty directory':34} {resident(daemon):.1f} MB")
        ctl("bench", "tasks", "--count", str(arguments.tasks)); stop(daemon, signal.SIGKILL)
        for _ in range(arguments.runs):
            daemon, took = start(home); used.append(took); stop(daemon, signal.SIGKILL)
        told(f"start to ready, {arguments.tasks} tasks", used)
        daemon, _ = start(home)
        time.sleep(2); print(f"{'idle memory, used directory':34} {resident(daemon):.1f} MB"); stop(daemon)
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
