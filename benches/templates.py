#!/usr/bin/env python3
"""Measures templates of the release build of factoryd: loading many, edits until they are live, and a flood of both edits and tasks.

    cargo build --release && python3 benches/templates.py [--templates 10000] [--edits 200] [--flood-edits 1000] [--in-flight 10000]

Standard library only. A corpus in three levels (10 roots, 99 templates on each, the rest below those), signed by factoryctl, is loaded
by a real daemon: told is the time from its start to ready, with an empty store and again with the one that is left. Then signed edits
are renamed into the directory, and the time from the rename of the signature to the event `template_published` is taken, less the
debounce of 100 ms. At last a model that thinks for some seconds keeps many tasks in flight while edits land on a hundred templates,
one in ten of them bad; every task must succeed, with one version in all its calls, and never with one that was refused.
"""
import argparse, asyncio, http.client, json, multiprocessing, os, pathlib, random, shutil, signal, socket, statistics, subprocess, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("FACTORY_BIN", ROOT / "target/release"))
DEBOUNCE = 0.1
TARGETS = 100  # templates that the flood edits
THINK = (1.0, 4.0)  # seconds of the model


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Home:
    def __init__(self, arguments):
        self.arguments, self.daemon = arguments, None
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="templates-", dir=arguments.dir))
        for directory in ("keys", "templates", "edits"):
            (self.path / directory).mkdir()
        self.ctl("keys", "generate", "bench", "--out", "private")
        shutil.copy(self.path / "private/bench.pub.pem", self.path / "keys")

    def ctl(self, *words):
        return subprocess.run([BIN / "factoryctl", *map(str, words)], check=True, capture_output=True, cwd=self.path)

    def settings(self, port):
        (self.path / "f.toml").write_text(
            'data_dir = "data"\ntemplates_dir = "templates"\nsocket = "c.sock"\n[api]\nopen_tasks_max = 100000\n[templates]\n'
            'trusted_keys_dir = "keys"\n[providers.slow]\nkind = "openai"\ntimeout = "120s"\nmax_concurrency = 20000\n'
            f'base_url = "http://127.0.0.1:{port}/v1"\n[models."slow/m"]\ninput_usd_per_mtok = "0"\noutput_usd_per_mtok = "0"\n'
            '[routes]\nbench = ["slow/m"]\n')

    def write(self, directory, name, version, **more):
        document = {"name": name, "version": version, "model": {"route": "bench", "max_output_tokens": 64},
                    "dlp": {"outbound": "allow", "inbound": "allow"}, **more}
        file = self.path / directory / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))
        return file

    def sign(self, files):
        for start in range(0, len(files), 500):
            self.ctl("templates", "sign", *files[start:start + 500], "--key", "private/bench.pem")

    def start(self):
        began = time.perf_counter()
        self.daemon = subprocess.Popen([BIN / "factoryd", "--config", self.path / "f.toml"], cwd=self.path,
                                       stderr=open(self.path / "log", "a"))
        while True:
            try:
                if self.ask("GET", "/ready")[0] == 200:
                    return time.perf_counter() - began
            except OSError:
                pass
            if self.daemon.poll() is not None or time.perf_counter() - began > 300:
                raise SystemExit(f"the daemon does not become ready; see {self.path}/log")
            time.sleep(0.002)

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(120)

    def ask(self, method, path, body=None):
        connection = Unix(self.path / "c.sock")
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def put(self, file):
        """Renames an edit with its signature into the directory, and says when the last of it was there."""
        for suffix in (".json.sig", ".json"):
            source = file.with_name(file.stem + suffix)
            if source.exists():
                os.rename(source, self.path / "templates" / source.name)
        return time.perf_counter()


def follow(path, pipe):
    """Hands on the news of templates, each with the time at which it came. A process of its own keeps up with those of tasks."""
    connection = Unix(path)
    connection.request("GET", "/factory/events", headers={"Accept": "text/event-stream"})
    stream = connection.getresponse()
    pipe.send(None)
    try:
        for line in stream:
            if line.startswith(b"data:") and (b'"template_' in line or b'"events_missed' in line):
                pipe.send((time.perf_counter(), json.loads(line[5:])))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        pass  # the daemon was stopped


class Events(threading.Thread):
    """Notes when each version of each template was told to be published or refused."""

    def __init__(self, home):
        super().__init__(daemon=True)
        self.seen, self.news, self.missed = {}, threading.Condition(), 0
        self.pipe, theirs = multiprocessing.Pipe(duplex=False)
        multiprocessing.Process(target=follow, args=(home.path / "c.sock", theirs), daemon=True).start()
        theirs.close()
        self.pipe.recv()
        self.start()

    def run(self):
        try:
            while True:
                at, event = self.pipe.recv()
                with self.news:
                    self.missed += event.get("count", 0) if event["kind"] == "events_missed" else 0
                    self.seen.setdefault((event["kind"], event.get("template_name"), event.get("version")), at)
                    self.news.notify_all()
        except (EOFError, OSError):
            pass

    def when(self, kind, name, version, patience=60):
        with self.news:
            key = (kind, name, version)
            if not self.news.wait_for(lambda: key in self.seen, patience):
                raise SystemExit(f"no {kind} of {name} {version}; {self.missed} events were missed")
            return self.seen[key]


def told(label, seconds):
    seconds = sorted(seconds)
    at = lambda share: seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1000
    print(f"{label}: p50 {at(.5):.1f} ms, p95 {at(.95):.1f} ms, p99 {at(.99):.1f} ms, most {seconds[-1] * 1000:.1f} ms (n = {len(seconds)})", flush=True)


def corpus(home, count):
    files, middles = [], []
    for root in range(10):
        files.append(home.write("templates", f"root{root}", "1.0.0", system_prompt=f"Root {root}."))
        for middle in range(99):
            middles.append(f"middle{root}-{middle}")
            files.append(home.write("templates", middles[-1], "1.0.0", extends=f"root{root}", capabilities=["work"]))
    for leaf in range(max(0, count - len(files))):
        files.append(home.write("templates", f"leaf{leaf}", "1.0.0", extends=middles[leaf % len(middles)],
                                system_prompt=f"own=1.0.0 of leaf {leaf}", refine={"passes": 1, "prompt": "Again."}))
    home.sign(files)
    return len(files)


def edits(home, events, label, names, number):
    """One edit after the other, each waited for."""
    chosen, files = random.Random(4), []
    for n in range(number):
        name = chosen.choice(names)
        parent = json.loads((home.path / "templates" / f"{name}.json").read_text()).get("extends")
        files.append(home.write(f"edits/{label}{n}", name, f"2.{n}.0", system_prompt=f"own=2.{n}.0", **({"extends": parent} if parent else {})))
    home.sign(files)
    times = []
    for n, file in enumerate(files):
        at = home.put(file)
        times.append(events.when("template_published", file.stem, f"2.{n}.0") - at - DEBOUNCE)
    told(f"edit of a {label} until live, beyond the debounce", times)


class Model:
    """Chat Completions over HTTP/1.1 that thinks for some seconds and answers with what it was told to be."""

    def __init__(self):
        self.calls, self.open, self.most, self.answered = [], 0, 0, {}

    async def both(self, mark):
        """Waits until the two calls of a task are answered."""
        while len(self.answered.setdefault(mark, [])) < 2:
            await asyncio.sleep(0.5)

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.open += 1
                self.most = max(self.most, self.open)
                await asyncio.sleep(random.uniform(*THINK))
                self.open -= 1
                system, asked = body["messages"][0]["content"], json.dumps(body["messages"])
                mark = asked.split("<")[1].split(">")[0]
                self.calls.append((mark, system))
                answer = json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
                await writer.drain()
                self.answered.setdefault(mark, []).append(system)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def request(home, method, path, body=None):
    reader, writer = await asyncio.open_unix_connection(str(home.path / "c.sock"), limit=1 << 22)
    text = b"" if body is None else json.dumps(body).encode()
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n".encode() + text)
    answer = await reader.read(-1)
    writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest) if rest and b"chunked" not in head.lower() else {}


async def flood(home, events, arguments, model):
    """Tasks in flight and edits at once."""
    names = [f"leaf{n}" for n in range(TARGETS)]
    plans, last = [], {name: 0 for name in names}
    for n in range(arguments.flood_edits):
        name = names[n % TARGETS]
        last[name] += 1
        version = f"3.{n}.0"
        bad = n % 10 == 9
        more = {"tools": ["shell"]} if bad and n % 20 == 9 else {}
        file = home.write(f"edits/flood{n}", name, version, extends="middle0-0", system_prompt=f"own={version}",
                          refine={"passes": 1, "prompt": "Again."}, **more)
        plans.append((name, version, bad, bool(more), file))
    home.sign([file for *_, bad, dangerous, file in plans if not bad or dangerous])
    tasks, stop, failures, gate = {}, asyncio.Event(), [], asyncio.Semaphore(64)

    async def client(number):
        count = 0
        while not stop.is_set():
            mark, count = f"{number}-{count}", count + 1
            async with gate:
                status, task = await request(home, "POST", "/factory/tasks", {"template_name": random.choice(names), "input": f"<{mark}>"})
            if status not in (200, 202):
                failures.append((status, task))
                return
            tasks[mark] = task["task_id"]
            await model.both(mark)

    clients = [asyncio.create_task(client(number)) for number in range(arguments.in_flight)]
    patience = time.time() + 120
    while model.most < arguments.in_flight * 0.9 and not failures and time.time() < patience:
        await asyncio.sleep(0.2)
    began, written = time.perf_counter(), []
    for n, (name, version, bad, dangerous, file) in enumerate(plans):
        # A template is edited again only when its last edit was seen: of two within one debounce the first is never looked at.
        await asyncio.sleep(max(0, began + n / arguments.rate - time.perf_counter()))
        written.append((name, version, bad, home.put(file)))
    live = []
    for name, version, bad, at in written:
        kind = "template_refused" if bad else "template_published"
        seen = await asyncio.to_thread(events.when, kind, name, version)
        live.append(seen - at - DEBOUNCE)
    stop.set()
    await asyncio.gather(*clients)
    mixed, refused, unlike, broken = 0, 0, 0, 0
    bad_versions = {version for _, version, bad, _ in written if bad}
    ended = {}
    for mark, task in tasks.items():
        patience = time.time() + 120
        while time.time() < patience:
            _, found = await request(home, "GET", f"/factory/tasks/{task}")
            if found.get("state") in ENDED:
                break
            await asyncio.sleep(0.2)
        broken += found.get("state") != "succeeded"
        ended[mark] = found.get("template_version")
    heard = {}
    for mark, system in model.calls:
        heard.setdefault(mark, set()).add(system.split("=")[1].split()[0])
    for mark, versions in heard.items():
        mixed += len(versions) > 1
        refused += bool(versions & bad_versions)
        unlike += versions != {ended.get(mark)}
    print(f"flood: {len(tasks)} tasks, at most {model.most} calls in flight, {len(written)} edits of which {len(bad_versions)} bad, in "
          f"{time.perf_counter() - began:.0f} s")
    print(f"  requests refused or failed {len(failures)}, tasks that did not succeed {broken}, tasks of mixed versions {mixed}, "
          f"told another version than their record says {unlike}, told a refused version {refused}")
    if failures:
        print(f"  the first: {failures[0]}")
    told("  edit until live or refused, beyond the debounce", live)
    return not (failures or mixed or refused or unlike or broken)


ENDED = ("succeeded", "failed", "cancelled")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--templates", type=int, default=10_000)
    arguments.add_argument("--runs", type=int, default=3, help="loads of each kind")
    arguments.add_argument("--edits", type=int, default=200, help="edits one after the other, of leaves and of roots")
    arguments.add_argument("--flood-edits", type=int, default=1_000)
    arguments.add_argument("--rate", type=float, default=40, help="edits a second in the flood")
    arguments.add_argument("--in-flight", type=int, default=10_000)
    arguments.add_argument("--dir", help="where the temporary directory is made")
    arguments = arguments.parse_args()
    home, good = Home(arguments), True
    loop, model = asyncio.new_event_loop(), Model()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    on_loop = lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    try:
        server = on_loop(asyncio.start_server(model.serve, "127.0.0.1", 0, backlog=4096, limit=1 << 22))
        home.settings(server.sockets[0].getsockname()[1])
        count = corpus(home, arguments.templates)
        cold, warm = [], []
        for _ in range(arguments.runs):
            shutil.rmtree(home.path / "data", ignore_errors=True)
            cold.append(home.start())
            home.stop()
            warm.append(home.start())
            home.stop()
        print(f"{count} templates, start to ready: empty store median {statistics.median(cold):.2f} s (most {max(cold):.2f}), "
              f"warm store {statistics.median(warm):.2f} s (most {max(warm):.2f})", flush=True)
        home.start()
        loaded = json.loads(home.ask("GET", "/factory/metrics")[1])["templates_loaded"]
        assert loaded == count, f"{loaded} of {count} are served"
        events = Events(home)
        if arguments.edits:
            edits(home, events, "leaf", [f"leaf{n}" for n in range(TARGETS, count - 1_000)] or ["root1"], arguments.edits)
            edits(home, events, "root", [f"root{n}" for n in range(1, 10)], max(1, arguments.edits // 4))
        if arguments.flood_edits:
            good = on_loop(flood(home, events, arguments, model))
    finally:
        home.stop()
        shutil.rmtree(home.path, ignore_errors=True)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
