#!/usr/bin/env python3
"""What Presidio and detect-secrets find on the held-out corpus, and how fast, as JSON. `benches/dlp_compare.py` installs them and runs this.

    python3 benches/dlp_neighbours.py presidio|detect-secrets [--texts DIR] [--slice-kb 64]

Presidio works with its pattern recognisers and no language model: a blank spaCy pipeline cuts words, and lower-case forms stand for lemmas, so
that its context words count. Those of other countries are switched on where it has one for a type that we have, in both languages. What it
scores below a threshold does not count; of 0, its own setting, and 0.4 the one with the better F2 is told, type by type.

detect-secrets reads each text as a file, with all of its default plugins and filters. It tells a line and a value, at times only the beginning of
the value; a marked secret counts as found if what it tells touches it at all.
"""
import argparse, json, pathlib, re, signal, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests/corpus"
LANGUAGES, THRESHOLDS, COVERED_MIN, SLICE_MAX_S = ("en", "fr"), (0.0, 0.4), 0.8, 120
RECOGNISERS = """CreditCard Crypto Email Iban Ip MacAddress Phone UsSsn UsItin UsPassport UkPassport EsPassport ItPassport DePassport DeIdCard ItIdentityCard
Nhs UkNino EsNif EsNie ItFiscalCode DeTaxId PlPesel""".split()
TYPES = {"US_PASSPORT": "PASSPORT", "UK_PASSPORT": "PASSPORT", "ES_PASSPORT": "PASSPORT", "IT_PASSPORT": "PASSPORT", "DE_PASSPORT": "PASSPORT",
         "DE_ID_CARD": "ID_CARD", "IT_IDENTITY_CARD": "ID_CARD"}
SECRETS = set("""URL_CREDENTIALS CONNECTION_STRING GENERIC_SECRET PASSWORD PRIVATE_KEY JSON_WEB_TOKEN AWS_ACCESS_KEY AWS_SECRET_KEY GITHUB_TOKEN
GITLAB_TOKEN SLACK_TOKEN STRIPE_KEY OPENAI_KEY ANTHROPIC_KEY GOOGLE_API_KEY HUGGING_FACE_TOKEN NPM_TOKEN PYPI_TOKEN SENDGRID_KEY TWILIO_KEY""".split())


def load(language):
    """Texts without marks, each with what was marked: [(type, start, end)]."""
    texts = []
    for path in sorted((CORPUS / "held-out" / language).glob("*.txt")):
        for marked in path.read_text().split("\n----\n"):
            text, gold, at = "", [], 0
            for mark in re.finditer(r"\[\[([A-Z_]+)\|(.*?)\]\]", marked, re.S):
                text += marked[at:mark.start()]
                value, at = mark[2].replace("¦", ""), mark.end()
                gold.append((mark[1], len(text), len(text) + len(value)))
                text += value
            texts.append((text + marked[at:].rstrip(), gold))
    return texts


def presidio():
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

    class Blank(NlpEngine):
        def load(self):
            self.cut = spacy.blank("en")
            self.cut.max_length = 1 << 30
        def is_loaded(self): return hasattr(self, "cut")
        def process_text(self, text, language):
            words = self.cut(text)
            return NlpArtifacts(entities=[], tokens=words, tokens_indices=[word.idx for word in words], lemmas=[word.lower_ for word in words],
                                nlp_engine=self, language=language)
        def process_batch(self, texts, language, **_): return ((text, self.process_text(text, language)) for text in texts)
        def is_stopword(self, word, language): return self.cut.vocab[word].is_stop
        def is_punct(self, word, language): return self.cut.vocab[word].is_punct
        def get_supported_entities(self): return []
        def get_supported_languages(self): return ["en"]

    engine, registry = Blank(), RecognizerRegistry()
    engine.load()
    for name in RECOGNISERS:
        registry.add_recognizer(getattr(predefined_recognizers, name + "Recognizer")(supported_language="en"))
    analyser = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    def detect(text):
        return [(TYPES.get(r.entity_type, r.entity_type), r.start, r.end, r.score) for r in analyser.analyze(text, language="en")]
    return detect


def detect_secrets():
    from detect_secrets.core import scan
    from detect_secrets.settings import default_settings
    folder = tempfile.TemporaryDirectory(prefix="dlp-neighbours-")
    def detect(text):
        path = pathlib.Path(folder.name) / "text.txt"
        path.write_text(text)
        lines, found = text.split("\n"), []
        begins = [0]
        for line in lines:
            begins.append(begins[-1] + len(line) + 1)
        with default_settings():
            for secret in scan.scan_file(str(path)):
                line = secret.line_number - 1
                at = lines[line].find(secret.secret_value or "")
                at, size = (at, len(secret.secret_value)) if at >= 0 and secret.secret_value else (0, len(lines[line]))
                found.append(("SECRET", begins[line] + at, begins[line] + at + size, 1.0))
        path.unlink()
        return found
    return detect


def tally(texts, found, touching):
    """By type: marked, found, findings, wrong."""
    tallies = {}
    for (_, gold), findings in zip(texts, found):
        for kind, start, end in gold:
            need = 1e-9 if touching else COVERED_MIN * (end - start)
            covered = any(k == kind and min(e, end) - max(s, start) >= need and min(e, end) > max(s, start) for k, s, e in findings)
            one = tallies.setdefault(kind, [0, 0, 0, 0])
            one[0], one[1] = one[0] + 1, one[1] + covered
        for kind, start, end in findings:
            right = any(k == kind and s < end and start < e for k, s, e in gold)
            one = tallies.setdefault(kind, [0, 0, 0, 0])
            one[2], one[3] = one[2] + 1, one[3] + (not right)
    return tallies


def figures(marked, found, findings, wrong):
    precision = (findings - wrong) / findings if findings else float(marked == 0)
    recall = found / marked if marked else 1.0
    return {"gold": marked, "found": found, "findings": findings, "wrong": wrong, "precision": precision, "recall": recall,
            "f2": 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0}


def quality(which, detect):
    """Figures by language and type, and the rate over the whole corpus."""
    told, bytes_, began = {}, 0, time.monotonic()
    seconds = 0.0
    for language in LANGUAGES:
        texts = load(language)
        if which == "detect-secrets":
            texts = [(text, [("SECRET", start, end) for kind, start, end in gold if kind in SECRETS]) for text, gold in texts]
        began = time.monotonic()
        found = [detect(text) for text, _ in texts]
        seconds += time.monotonic() - began
        bytes_ += sum(len(text.encode()) for text, _ in texts)
        best = {}
        for threshold in THRESHOLDS if which == "presidio" else (0.0,):
            kept = [[(kind, start, end) for kind, start, end, score in one if score >= threshold] for one in found]
            for kind, counts in tally(texts, kept, which == "detect-secrets").items():
                told_now = figures(*counts)
                if told_now["findings"] and told_now["f2"] >= best.get(kind, {"f2": -1})["f2"]:
                    best[kind] = told_now
        told[language] = best
    return told, bytes_ / seconds / 1e6


class Late(Exception):
    pass


def rates(detect, folder, slice_kb):
    """MB/s on the beginning of each text; None if it took too long."""
    def late(*_): raise Late
    signal.signal(signal.SIGALRM, late)
    told = {}
    for path in sorted(pathlib.Path(folder).glob("*.txt")):
        text = path.read_bytes()[:slice_kb * 1024].decode(errors="ignore")
        signal.alarm(SLICE_MAX_S)
        try:
            began = time.monotonic()
            detect(text)
            told[path.stem] = len(text.encode()) / (time.monotonic() - began) / 1e6
        except Late:
            told[path.stem] = None
        finally:
            signal.alarm(0)
        print(f"{path.stem}: {told[path.stem]}", file=sys.stderr)
    return told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=["presidio", "detect-secrets"])
    parser.add_argument("--texts")
    parser.add_argument("--slice-kb", type=int, default=64)
    args = parser.parse_args()
    detect = presidio() if args.which == "presidio" else detect_secrets()
    detect("A first text, so that what is loaded late is loaded: a@b.example, 4111 1111 1111 1111.")
    languages, rate = quality(args.which, detect)
    print(json.dumps({"languages": languages, "corpus_mb_per_s": rate, "mb_per_s": rates(detect, args.texts, args.slice_kb) if args.texts else {}}))


if __name__ == "__main__":
    main()
