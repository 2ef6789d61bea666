#!/usr/bin/env python3
"""Measures the release build of factoryd with very many agents: memory for each, and what kill -9 costs.

    cargo build --release && python3 benches/million.py [--agents 1000000] [--active 100000] [--open 10000] [--json]
    cargo build --release && python3 benches/million.py --gateway [--requests 1000000] [--parts 10] [--json]

Standard library only. One daemon with the shipped templates, signed, in a temporary directory of its own, and `store.cache_bytes`
at its least, so that what grows is what the agents need and not the cache.

1. Registers the agents with `factoryctl bench agents`: resident memory before and after, by the agent.
2. Runs one task on each of `--active` of them (`builtin/extractive`); idle, they stay in memory for `--idle-max`: resident memory before
   and after, by the agent, and once more when they have all left.
3. Looks agents up that are not in memory, one after the other, while nothing else happens.
4. Activates the `--active` agents again, and submits `--open` tasks to a provider that does not answer; kill -9; starts again with a
   provider that answers: time to the first 200 of GET /ready, time until every task has ended, calls that were made twice.

With `--gateway` nothing of that: so many requests for completions before a mock model, in parts, and resident memory after each. A
part begins when the memory has settled. What each task leaves in the journal stays, as it does in use; sled's own tables grow with it,
so that growth is told by the request, over the second half.
"""
import argparse, asyncio, http.client, json, multiprocessing, os, pathlib, shutil, signal, socket, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("FACTORY_BIN", ROOT / "target/release"))
CONNECTIONS = 64
READY_MAX_S, END_MAX_S = 120, 600
SETTINGS = """
data_dir = "data"
templates_dir = "templates"
socket = "c.sock"
[api]
open_tasks_max = 1000000
[store]
cache_bytes = {cache}
[templates]
trusted_keys_dir = "keys"
[providers.mock]
kind = "openai"
base_url = "unix://{home}/llm.sock"
timeout = "10m"
[models."mock/held"]
input_usd_per_mtok = "0"
output_usd_per_mtok = "0"
[routes]
review = ["mock/held"]
"""
GATEWAY = """
data_dir = "data"
templates_dir = "templates"
socket = "c.sock"
[store]
cache_bytes = {cache}
[templates]
trusted_keys_dir = "keys"
[providers.mock]
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
max_concurrency = 1024
[models."mock/fixed"]
input_usd_per_mtok = "1.00"
output_usd_per_mtok = "4.00"
[routes]
bench = ["mock/fixed"]
[budgets.global]
limit_usd = "1000000"
window = "day"
"""
BENCH = {"name": "bench", "version": "1.0.0", "system_prompt": "Answer in one sentence, from the text alone.",
         "model": {"route": "bench", "max_output_tokens": 64}, "budget": {"per_task_usd": "0.05"}, "dlp": {"outbound": "pseudonymise"}}
AGENTS = """
[agents]
idle_max = "{idle}"
active_max = {active}
"""


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(sock, path):
    connection = Unix(sock)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until(what, within, every=0.2):
    end = time.perf_counter() + within
    while not (found := what()):
        if time.perf_counter() > end:
            raise SystemExit(f"did not happen within {within} s: {what.__name__}")
        time.sleep(every)
    return found


async def post_all(sock, requests, connections=CONNECTIONS):
    """Posts every body over so many connections; returns how often each status came."""
    statuses, waiting = {}, iter(requests)

    async def one():
        reader, writer = await asyncio.open_unix_connection(str(sock))
        for body in waiting:
            writer.write(b"POST /factory/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            answer = await reader.readexactly(length)
            if status >= 400 and status not in statuses:
                print("first refusal:", answer.decode()[:300])
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return statuses


def provider(path, go, calls):
    """Serves Chat Completions on a Unix socket; answers nothing before `go` is set."""
    answer = json.dumps({"id": "x", "object": "chat.completion", "model": "held", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "done"}}], "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)

    async def serve(reader, writer):
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(int(l.split(b":")[1]) for l in asked.split(b"\r\n") if l.lower().startswith(b"content-length:"))
                await reader.readexactly(length)
                calls.value += 1
                while not go.is_set():
                    await asyncio.sleep(0.05)
                writer.write(head + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run():
        server = await asyncio.start_unix_server(serve, path)
        async with server:
            await server.serve_forever()

    asyncio.run(run())


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="million-"))
        self.sock = self.home / "c.sock"
        self.daemon = None
        self.told, self.made = {}, []

    def ctl(self, *words):
        done = subprocess.run([BIN / "factoryctl", "--socket", self.sock, *words], capture_output=True, cwd=self.home, text=True)
        if done.returncode:
            raise SystemExit(f"factoryctl {' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.stdout

    def prepare(self):
        shutil.copytree(ROOT / "templates", self.home / "templates")
        self.ctl("keys", "generate", "bench", "--out", "private")
        (self.home / "keys").mkdir()
        shutil.copy(self.home / "private/bench.pub.pem", self.home / "keys")
        self.ctl("templates", "sign", *sorted(map(str, (self.home / "templates").glob("*.json"))), "--key", "private/bench.pem")

    def start(self, idle):
        settings = SETTINGS.format(home=self.home, cache=self.arguments.cache_bytes)
        return self.start_with(settings + AGENTS.format(idle=idle, active=1_000_000))

    def start_with(self, settings):
        (self.home / "f.toml").write_text(settings)
        began = time.perf_counter()
        with open(self.home / "log", "ab") as log:
            self.daemon = subprocess.Popen([BIN / "factoryd", "--config", self.home / "f.toml"], cwd=self.home, stderr=log)

        def ready():
            if self.daemon.poll() is not None:
                raise SystemExit("the daemon ended instead of getting ready: " + (self.home / "log").read_text()[-2000:])
            try:
                return ask(self.sock, "/ready")[0] == 200
            except OSError:
                return False

        until(ready, READY_MAX_S, every=0.002)
        return time.perf_counter() - began

    def end(self, how=signal.SIGTERM):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(how)
            self.daemon.wait(120)

    def resident(self):
        text = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024

    def settled(self):
        """Resident memory once it no longer changes by more than a tenth of a per cent in a second."""
        last = self.resident()
        for _ in range(30):
            time.sleep(1)
            now = self.resident()
            if abs(now - last) < max(last // 1000, 200_000):
                return now
            last = now
        return last

    def metrics(self):
        return json.loads(ask(self.sock, "/factory/metrics")[1])

    def gauge(self, state):
        for line in ask(self.sock, "/metrics")[1].decode().splitlines():
            if line.startswith("factory_agents{") and f'state="{state}"' in line:
                return int(float(line.split()[-1]))
        return 0

    def open(self):
        tasks = self.metrics()["tasks"]
        return tasks["queued"] + tasks["running"]

    def tell(self, **figures):
        for name, value in figures.items():
            self.told[name] = round(value, 3) if isinstance(value, float) else value
            if not self.arguments.json:
                print(f"{name:42} {self.told[name]:>16,}", flush=True)

    def register(self):
        count = self.arguments.agents
        before = self.settled()
        began = time.perf_counter()
        report = json.loads(self.ctl("bench", "agents", "--count", str(count), "--connections", str(CONNECTIONS), "--json"))
        if report["errors"]:
            raise SystemExit(f"not every agent was registered: {report}")
        took = time.perf_counter() - began
        after = self.settled()
        self.tell(agents=count, register_seconds=took, register_per_second=count / took, resident_before=before, resident_after=after,
                  bytes_by_registered_agent=(after - before) / count)

    def some_agents(self, count):
        found, after = [], ""
        while len(found) < count:
            page = json.loads(ask(self.sock, f"/factory/agents?limit=1000{after}")[1])
            found += [item["agent_id"] for item in page["items"]]
            if not page["next"]:
                break
            after = "&after=" + page["next"]
        return found[:count]

    def activate(self, agents):
        bodies = (json.dumps({"agent_id": agent, "input": "The harbour was rebuilt in 1954. It employs 410 people."}).encode() for agent in agents)
        statuses = asyncio.run(post_all(self.sock, bodies))
        if set(statuses) - {200, 202}:
            raise SystemExit(f"not every task was accepted: {statuses}")

        def all_ended():
            return self.open() == 0

        until(all_ended, END_MAX_S)

    def stay(self):
        agents = self.some_agents(self.arguments.active)
        before = self.settled()
        began = time.perf_counter()
        self.activate(agents)
        took = time.perf_counter() - began
        after, idle = self.settled(), self.gauge("idle")
        self.tell(activated=len(agents), in_memory=idle, activate_per_second=len(agents) / took, resident_active=after,
                  bytes_by_active_agent=(after - before) / max(idle, 1))
        began = time.perf_counter()
        for _ in range(20):
            ask(self.sock, "/factory/metrics")
        self.tell(factory_metrics_ms=(time.perf_counter() - began) * 50)
        return agents

    def passivate(self):
        def none_in_memory():
            return self.gauge("idle") == 0

        until(none_in_memory, END_MAX_S, every=1)
        time.sleep(6)  # a round, which gives the memory of the last ones back
        self.tell(resident_passive=self.settled())

    def look_up(self, agents):
        connection = Unix(self.sock)
        times = []
        for agent in agents[:: max(len(agents) // 2_000, 1)]:
            began = time.perf_counter()
            connection.request("GET", f"/factory/agents/{agent}")
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - began) * 1e6)
        connection.close()
        times.sort()
        self.tell(look_up_p50_us=times[len(times) // 2], look_up_p99_us=times[int(len(times) * 0.99)])

    def crash(self, go, calls):
        before, idle = self.settled(), self.gauge("idle")
        go.clear()
        calls.value = 0
        body = json.dumps({"template_name": "code_reviewer", "input": "Review this: fn main() {}"}).encode()
        statuses = asyncio.run(post_all(self.sock, (body for _ in range(self.arguments.open))))
        if set(statuses) - {200, 202}:
            raise SystemExit(f"not every task was accepted: {statuses}")
        held = self.open()
        self.tell(in_memory_at_kill=idle, bytes_by_open_task=(self.settled() - before) / max(held, 1))
        resident, called, succeeded = self.resident(), calls.value, self.metrics()["tasks"]["succeeded"]
        self.end(signal.SIGKILL)
        go.set()
        ready = self.start(self.arguments.idle_max)
        began = time.perf_counter()
        still = self.open()

        def all_ended():
            return self.open() == 0

        until(all_ended, END_MAX_S)
        ended = self.metrics()["tasks"]
        self.tell(open_at_kill=held, resident_at_kill=resident, calls_cut_off=called, ready_seconds=ready, open_when_ready=still,
                  all_ended_seconds=time.perf_counter() - began, ended_well=ended["succeeded"] - succeeded, ended_badly=ended["failed"],
                  calls_made=calls.value, resident_after_recovery=self.settled())
        if ended["succeeded"] - succeeded != self.arguments.open or ended["failed"]:
            raise SystemExit("not every task ended well")

    def gateway(self):
        """Completions in parts, and what is resident after each."""
        command = [BIN / "factoryctl", "bench", "mock-model", "--listen", "127.0.0.1:0", "--json"]
        model = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            port = json.loads(model.stdout.readline())["listening"].rsplit(":", 1)[1]
            self.prepare()
            (self.home / "templates/bench.json").write_text(json.dumps(BENCH))
            self.ctl("templates", "sign", "templates/bench.json", "--key", "private/bench.pem")
            self.start_with(GATEWAY.format(port=port, cache=self.arguments.cache_bytes))
            part, resident = self.arguments.requests // self.arguments.parts, [self.settled()]
            self.tell(requests=part * self.arguments.parts, resident_idle=resident[0])
            for number in range(1, self.arguments.parts + 1):
                bench = ("bench", "gateway", "--template", "bench", "--count", str(part), "--connections", str(CONNECTIONS), "--json")
                report = json.loads(self.ctl(*bench))
                if report["errors"] or report["at_rate"]["errors"]:
                    raise SystemExit(f"not every request was answered: {report}")
                resident.append(self.settled())
                self.tell(**{f"per_second_{number}": report["per_second"], f"cpu_us_per_request_{number}": report["cpu_us_per_request"],
                             f"resident_{number}": resident[-1]})
                # The second part of a bench, at a rate, and its warm-up are requests, too.
                self.made.append(part + report["at_rate"]["requests"] + 8 * CONNECTIONS)
            half = self.arguments.parts // 2
            self.tell(bytes_by_request_second_half=(resident[-1] - resident[half]) / sum(self.made[half:]))
        finally:
            self.end()
            model.terminate()
            model.wait()
            if not self.arguments.keep:
                shutil.rmtree(self.home, ignore_errors=True)
        if self.arguments.json:
            print(json.dumps(self.told))

    def run(self):
        go, calls = multiprocessing.Event(), multiprocessing.Value("q", 0)
        mock = multiprocessing.Process(target=provider, args=(str(self.home / "llm.sock"), go, calls), daemon=True)
        mock.start()
        try:
            self.prepare()
            self.start(self.arguments.idle_max)
            self.register()
            agents = self.stay()
            self.passivate()
            self.look_up(agents)
            self.activate(agents)
            self.crash(go, calls)
        finally:
            self.end()
            mock.terminate()
            if not self.arguments.keep:
                shutil.rmtree(self.home, ignore_errors=True)
        if self.arguments.json:
            print(json.dumps(self.told))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--agents", type=int, default=1_000_000)
    arguments.add_argument("--active", type=int, default=100_000)
    arguments.add_argument("--open", type=int, default=10_000)
    arguments.add_argument("--cache-bytes", type=int, default=1 << 20, help="store.cache_bytes")
    arguments.add_argument("--idle-max", default="120s", help="agents.idle_max; long enough for all to be activated")
    arguments.add_argument("--gateway", action="store_true", help="completions instead of agents")
    arguments.add_argument("--requests", type=int, default=1_000_000)
    arguments.add_argument("--parts", type=int, default=10)
    arguments.add_argument("--keep", action="store_true", help="leave the directory behind")
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_args()
    bench = Bench(arguments)
    bench.gateway() if arguments.gateway else bench.run()


if __name__ == "__main__":
    main()
