#!/usr/bin/env python3
"""Measures the release build of factoryd as a gateway to a model, beside LiteLLM and Portkey, in one run.

    cargo build --release && python3 benches/gateway.py [--seconds 10] [--connections 64] [--rounds 3] [--json]

Needs wrk, and for the neighbours Python's venv and pip, and Node's npm: they are installed into a temporary directory, or into the
one that `--rivals DIR` names, and used again from there. What cannot be installed is left out, and said so.

All three stand before the same mock model (`factoryctl bench mock-model`), are asked the same question over TCP by wrk, and take
turns, round by round: first without counting, then for `--seconds`. factoryd works as it does in use: it knows who asks by a token, its
template filters what goes out, every request is reserved against a limit, and its commits are synced. Neither neighbour has a database or
logs of requests to keep; LiteLLM has its master key, and as many workers as there are processors.

Told are, for each, requests a second, p50 and p99 as wrk measures them, processor time by request and resident memory of all its
processes, the same load at the model alone, and the ratios; of several rounds the median. Answers that are not 200 end the program.
"""
import argparse, hashlib, http.client, json, os, pathlib, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("FACTORY_BIN", ROOT / "target/release"))
TOKEN = "a-token-of-the-bench"
QUESTION = "The harbour was rebuilt in 1954. It handles 3,200 ships a year and employs 410 people."
READY_MAX_S, INSTALL_MAX_S = 90, 900
LITELLM, PORTKEY = "litellm[proxy]==1.106.2", "@portkey-ai/gateway@1.15.2"
WANTED = {"litellm": 30, "portkey": 4}
HERTZ = os.sysconf("SC_CLK_TCK")

SETTINGS = """
data_dir = "data"
templates_dir = "templates"
socket = "c.sock"
[api]
tcp = "127.0.0.1:{port}"
tokens_file = "tokens.toml"
[templates]
trusted_keys_dir = "keys"
[providers.mock]
kind = "openai"
base_url = "http://127.0.0.1:{model}/v1"
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
TEMPLATE = {"name": "bench", "version": "1.0.0", "description": "What a bench asks.", "capabilities": ["answers"],
            "system_prompt": "Answer in one sentence, from the text alone.", "model": {"route": "bench", "max_output_tokens": 64},
            "budget": {"per_task_usd": "0.05"}, "dlp": {"outbound": "pseudonymise"}}
WRK = """
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
{headers}
function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format('{{"requests": %d, "micros": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, "status": %d, "io": %d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descendants(pid):
    """The process and all that it started."""
    found = [pid]
    for one in found:
        try:
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            pass
    return found


def taken(pid):
    """Processor seconds and resident bytes of a process and all that it started."""
    seconds = resident = 0
    for one in descendants(pid):
        try:
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        seconds += (int(fields[11]) + int(fields[12])) / HERTZ
        resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return seconds, resident


class Gateway:
    """A gateway under test: a process that listens on a port of this host."""

    def __init__(self, name, home, port, model, headers):
        self.name, self.port, self.process = name, port, None
        self.body = json.dumps({"model": model, "messages": [{"role": "user", "content": QUESTION}]})
        self.headers = headers
        lines = "\n".join(f'wrk.headers["{key}"] = "{value}"' for key, value in headers.items())
        self.script = home / f"{name}.lua"
        self.script.write_text(WRK.format(body=self.body, headers=lines))

    def start(self, command, home, **more):
        self.log = home / f"{self.name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), cwd=home, stdout=log, stderr=log, start_new_session=True, **more)
        end = time.perf_counter() + READY_MAX_S
        why = "no answer"
        while time.perf_counter() < end:
            if self.process.poll() is not None:
                break
            try:
                status, answer = self.ask()
                if status == 200 and json.loads(answer)["choices"][0]["message"]["content"]:
                    return self
                why = f"{status}: {answer.decode(errors='replace')[:500]}"
            except (OSError, http.client.HTTPException) as fault:
                why = str(fault)
            time.sleep(0.2)
        raise SystemExit(f"{self.name} does not answer ({why}):\n{self.log.read_text(errors='replace')[-2000:]}")

    def ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/v1/chat/completions", self.body, {"Content-Type": "application/json", **self.headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def load(self, connections, seconds):
        """One round: what wrk met, and what the gateway's processes took for it."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", self.script, f"http://127.0.0.1:{self.port}"]
        before = taken(self.process.pid)
        done = subprocess.run(command, capture_output=True, text=True)
        after = taken(self.process.pid)
        if done.returncode:
            raise SystemExit(f"wrk before {self.name}: {done.stderr or done.stdout}")
        met = json.loads(done.stderr.strip().splitlines()[-1])
        if met["status"] or met["io"] or not met["requests"]:
            raise SystemExit(f"{self.name} did not answer everything: {met}\n{self.log.read_text(errors='replace')[-2000:]}")
        return {"per_second": met["requests"] / met["micros"] * 1e6, "p50_ms": met["p50_us"] / 1e3, "p99_ms": met["p99_us"] / 1e3,
                "max_ms": met["max_us"] / 1e3, "cpu_us_per_request": (after[0] - before[0]) / met["requests"] * 1e6,
                "resident_mb": after[1] / 1e6}


def factoryd(home, model):
    def ctl(*words):
        done = subprocess.run([BIN / "factoryctl", *map(str, words)], cwd=home, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"factoryctl {words}: {done.stderr or done.stdout}")

    for name in ["templates", "keys"]:
        (home / name).mkdir()
    ctl("keys", "generate", "bench", "--out", "private")
    shutil.copy(home / "private/bench.pub.pem", home / "keys")
    (home / "templates/bench.json").write_text(json.dumps(TEMPLATE))
    ctl("templates", "sign", "templates/bench.json", "--key", "private/bench.pem")
    port = free_port()
    (home / "f.toml").write_text(SETTINGS.format(port=port, model=model))
    sha256 = hashlib.sha256(TOKEN.encode()).hexdigest()
    (home / "tokens.toml").write_text(f'[[token]]\nsha256 = "{sha256}"\nname = "bench"\nrole = "submitter"\n')
    (home / "tokens.toml").chmod(0o600)
    gateway = Gateway("factoryd", home, port, "bench", {"Authorization": f"Bearer {TOKEN}"})
    return gateway.start([BIN / "factoryd", "--config", "f.toml"], home)


def install(what, needed, command):
    """Whether it is there, after having installed it where it was not."""
    if needed.exists():
        return True
    print(f"installing {what}", file=sys.stderr, flush=True)
    try:
        for line in command:
            subprocess.run(list(map(str, line)), check=True, capture_output=True, text=True, timeout=INSTALL_MAX_S)
    except (OSError, subprocess.SubprocessError) as fault:
        said = (getattr(fault, "stderr", None) or "").strip().splitlines()[-3:]
        print(f"*** {what} IS LEFT OUT: it could not be installed: {fault}\n" + "\n".join(said), file=sys.stderr, flush=True)
    return needed.exists()


def litellm(home, model, rivals):
    program = rivals / "venv/bin/litellm"
    if not install("LiteLLM", program, [[sys.executable, "-m", "venv", rivals / "venv"], [rivals / "venv/bin/pip", "install", "-q", LITELLM]]):
        return None
    key = "sk-" + os.urandom(32).hex()  # it does not start without one
    (home / "litellm.yaml").write_text(json.dumps({
        "model_list": [{"model_name": "bench", "litellm_params": {"model": "openai/fixed", "api_base": f"http://127.0.0.1:{model}/v1", "api_key": "none"}}],
        "litellm_settings": {"telemetry": False, "set_verbose": False}, "general_settings": {"master_key": key}}))
    port = free_port()
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(home), "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [program, "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", port, "--num_workers", len(os.sched_getaffinity(0))]
    headers = {"Authorization": f"Bearer {key}"}
    return Gateway("litellm", home, port, "bench", headers).start(command, home, env=environment)


def portkey(home, model, rivals):
    program = rivals / "npm/node_modules/@portkey-ai/gateway/build/start-server.js"
    if not install("Portkey", program, [["npm", "install", "--prefix", rivals / "npm", "--no-audit", "--no-fund", PORTKEY]]):
        return None
    port = free_port()
    # This build refuses hosts of the loopback unless it is told that they are trusted.
    environment = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    headers = {"x-portkey-provider": "openai", "Authorization": "Bearer none", "x-portkey-custom-host": f"http://127.0.0.1:{model}/v1"}
    return Gateway("portkey", home, port, "fixed", headers).start(["node", program, "--headless", f"--port={port}"], home, env=environment)


def mock_model(home):
    process = subprocess.Popen([BIN / "factoryctl", "bench", "mock-model", "--listen", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        raise SystemExit("the mock model did not start")
    model = Gateway("model alone", home, int(json.loads(line)["listening"].rsplit(":", 1)[1]), "fixed", {})
    model.process, model.log = process, pathlib.Path(os.devnull)
    return model


def told(rounds):
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}


def run(arguments, home, rivals):
    started = []
    try:
        model = mock_model(home)
        started.append(model)
        for make in [factoryd, litellm, portkey]:
            own = home / make.__name__
            own.mkdir()
            if arguments.only and make.__name__ not in arguments.only:
                continue
            gateway = make(own, model.port) if make is factoryd else make(own, model.port, rivals)
            if gateway:
                started.append(gateway)
        rounds = {gateway.name: [] for gateway in started}
        for number in range(arguments.rounds + 1):
            for gateway in started:
                met = gateway.load(arguments.connections, arguments.seconds if number else min(arguments.seconds, 3))
                if number:
                    rounds[gateway.name].append(met)
        return {name: told(figures) for name, figures in rounds.items()}
    finally:
        for gateway in reversed(started):
            gateway.stop()


def show(figures, arguments):
    ours = figures.get("factoryd")
    ratios = {name: round(ours["per_second"] / figures[name]["per_second"], 1) for name in WANTED if ours and name in figures}
    if arguments.json:
        print(json.dumps({"bench": "gateways", "connections": arguments.connections, "seconds": arguments.seconds, "rounds": arguments.rounds,
                          "load": os.getloadavg()[0], "figures": figures, "ratios": ratios}))
        return
    print(f"{'':14}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'CPU µs/request':>16}{'resident MB':>13}")
    for name, one in figures.items():
        print(f"{name:14}{one['per_second']:12,.0f}{one['p50_ms']:10.2f}{one['p99_ms']:10.2f}{one['max_ms']:10.2f}"
              f"{one['cpu_us_per_request']:16,.0f}{one['resident_mb']:13.1f}")
    for name, ratio in ratios.items():
        print(f"factoryd : {name:10} {ratio:6.1f} x   (wanted: {WANTED[name]} x)")
    for name in WANTED:
        if name not in figures:
            print(f"*** {name} WAS LEFT OUT")
    print(f"load average {os.getloadavg()[0]:.1f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=10, help="of each round")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--rivals", type=pathlib.Path, help="where the neighbours are installed, and stay")
    arguments.add_argument("--only", action="append", choices=["factoryd", "litellm", "portkey"])
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: install it (Debian: apt install wrk)")
    home = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
    try:
        show(run(arguments, home, (arguments.rivals or home / "rivals").resolve()), arguments)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
