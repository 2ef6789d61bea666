#!/usr/bin/env python3
"""Judges our detectors beside Presidio and detect-secrets: the same corpus, the same rules, the same texts for speed, one run.

    python3 benches/dlp_compare.py [--venv DIR] [--without-ours] [--json]

The neighbours (`benches/dlp_neighbours.txt`) are installed with Python's venv and pip into a temporary directory, or into the one that --venv
names, and used again from there. Ours is `cargo bench --bench dlp_quality`. Each takes its turn alone. Neighbours get the first 64 KiB of
each text, which takes them seconds; ours gets all of its mebibyte. What --without-ours leaves out is the build, and the ratios with it.

What is compared, and how the neighbours are set, stands in `benches/dlp_neighbours.py`.
"""
import argparse, json, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCHES = ROOT / "benches"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, cwd=ROOT, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def neighbour(python, which, texts):
    command = [python, BENCHES / "dlp_neighbours.py", which] + (["--texts", texts] if texts else [])
    return json.loads(run(*command, stderr=subprocess.DEVNULL).splitlines()[-1])


def ratio(ours, theirs):
    return f"{ours / theirs:10.0f}" if ours and theirs else f"{'':>10}"


def quality_table(ours, theirs):
    print(f"\n{'':4}{'type':22}{'marked':>7}   {'ours P':>7}{'R':>7}{'F2':>7}   {'theirs P':>8}{'R':>7}{'F2':>7}")
    for name, told in theirs.items():
        for language, kinds in told["languages"].items():
            for kind, their in sorted(kinds.items()):
                if not their["gold"]:
                    continue
                mine = (ours or {}).get("languages", {}).get(language, {})
                mine = mine.get("secrets") if kind == "SECRET" else mine.get("types", {}).get(kind)
                own = "".join(f"{mine[key]:7.3f}" for key in ("precision", "recall", "f2")) if mine else " " * 21
                print(f"{language:4}{kind:22}{their['gold']:7}   {own}   {their['precision']:8.3f}{their['recall']:7.3f}{their['f2']:7.3f}  {name}")


def rate_table(ours, theirs):
    names = sorted({text for told in theirs.values() for text in told["mb_per_s"]} | set((ours or {}).get("mb_per_s", {})))
    print(f"\n{'MB/s':12}{'ours':>10}" + "".join(f"{name:>16}{'ratio':>10}" for name in theirs))
    for text in names:
        own = (ours or {}).get("mb_per_s", {}).get(text)
        rates = [told["mb_per_s"].get(text) for told in theirs.values()]
        print(f"{text:12}{own or 0:10.1f}" + "".join(f"{rate:16.4f}{ratio(own, rate)}" if rate else f"{'over 120 s':>16}{'':10}" for rate in rates))
    for name, told in theirs.items():
        print(f"{name}: {told['corpus_mb_per_s']:.4f} MB/s text by text on the held-out corpus")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", help="where the neighbours are, or are to be, installed")
    parser.add_argument("--without-ours", action="store_true", help="only the neighbours")
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dlp-compare-") as folder:
        venv, texts = pathlib.Path(args.venv or folder) / "venv", pathlib.Path(folder) / "texts"
        texts.mkdir()
        if not (venv / "bin/python").exists():
            run(sys.executable, "-m", "venv", venv)
        run(venv / "bin/pip", "install", "--quiet", "-r", BENCHES / "dlp_neighbours.txt")
        ours = None
        if not args.without_ours:
            ours = json.loads(run("cargo", "bench", "--quiet", "--bench", "dlp_quality", "--", "--json", "--texts", texts).splitlines()[-1])
        theirs = {which: neighbour(venv / "bin/python", which, texts if ours else None) for which in ("presidio", "detect-secrets")}
    if args.json:
        print(json.dumps({"ours": ours, **theirs}))
    else:
        quality_table(ours, theirs)
        rate_table(ours, theirs)


if __name__ == "__main__":
    main()
