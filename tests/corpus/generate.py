#!/usr/bin/env python3
"""Makes the generated part of the corpus, the same in every run: `python3 tests/corpus/generate.py [--check]`.

With --check it writes nothing, and fails if what is committed is not what it would write, if the halves share a template, or if a
marked value, of the hand-written part too, has wrong check digits.
"""
import pathlib, random, re, sys
sys.dont_write_bytecode = True
import check_digits as check
import templates, values

ROOT = pathlib.Path(__file__).resolve().parent
SEED, SPLITS, LANGUAGES = 20261121, ("dev", "held-out"), ("en", "fr")
# How many values of a type a part has: few in dev; those without check digits or form are the most.
COUNTS = {"dev": (14, 20, 8), "held-out": (64, 90, 34)}
LOOSE = ("PERSON", "LOCATION", "DATE_OF_BIRTH")
PLACEHOLDERS = ["<your-api-key>", "changeme", "xxxxxxxxxxxxxxxx", "${API_TOKEN}", "********", "YOUR_API_KEY_HERE", "{{ vault.token }}", "null", "process.env.API_KEY",
                "example", "TODO", "$(cat /run/secrets/token)", "REDACTED", "os.getenv(\"TOKEN\")", "...", "<redacted>"]


def decoy(rng, what):
    n, hexa = lambda count: values.some(rng, values.DIGITS, count), lambda count: values.some(rng, values.HEX, count)
    year, month, day = rng.randint(2019, 2026), rng.randint(1, 12), rng.randint(1, 28)
    def isbn():
        body = "978" + n(9)
        short = n(9)
        return rng.choice([values.grouped(body + check.ean13(body), (3, 1, 4, 4), "-"), body + check.ean13(body), values.grouped(short + check.isbn10(short), (1, 4, 4), "-")])
    def order():
        number = n(rng.choice([6, 7, 8, 10]))
        return rng.choice([number, f"CMD-{number}", f"#{number}", f"PO{number}", f"{year}-{n(5)}"])
    return {
        "order": order, "isbn": isbn, "small": lambda: str(rng.randint(2, 999)), "sha": lambda: hexa(rng.choice([7, 12, 40])), "sha256": lambda: hexa(64),
        "hex6": lambda: hexa(6), "hex16": lambda: hexa(16), "hex32": lambda: hexa(32), "epoch": lambda: "17" + n(rng.choice([8, 11])),
        "uuid": lambda: f"{hexa(8)}-{hexa(4)}-4{hexa(3)}-a{hexa(3)}-{hexa(12)}", "version": lambda: f"{rng.randint(0, 30)}.{rng.randint(0, 40)}.{rng.randint(0, 99)}",
        "ts": lambda: rng.choice([f"{year}-{month:02d}-{day:02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z", f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}"]),
        "exp": lambda: f"{month:02d}/{rng.randint(27, 31)}", "price": lambda: rng.choice([f"{rng.randint(1, 999)} {rng.randint(100, 999)},{n(2)} €", f"${rng.randint(1, 99)},{n(3)}.{n(2)}", f"{rng.randint(3, 900)}.{n(2)} EUR"]),
        "tracking": lambda: rng.choice(["1Z" + values.some(rng, values.DIGITS + values.LETTERS, 16), "6A" + n(11), "XX" + n(9) + "FR", "CB" + n(9) + "GB"]),
        "coordinates": lambda: f"{rng.randint(40, 55)}.{n(5)}, -{rng.randint(0, 9)}.{n(5)}", "product": lambda: f"{values.some(rng, values.LETTERS, 3)}-{n(4)}-{values.some(rng, values.LETTERS, 2)}",
        "serial": lambda: f"SN{n(4)}{values.some(rng, values.LETTERS, 2)}{n(4)}", "placeholder": lambda: rng.choice(PLACEHOLDERS),
    }[what]()


def fill(rng, template, language):
    marked = re.sub(r"\{([A-Z_]+)\}", lambda m: f"[[{m[1]}|{values.make(rng, m[1], language)}]]", template)
    return re.sub(r"<([a-z0-9]+)>", lambda m: decoy(rng, m[1]) if m[1] in DECOYS else m[0], marked)


DECOYS = set("order isbn small sha sha256 hex6 hex16 hex32 epoch uuid version ts exp price tracking coordinates product serial placeholder".split())


def slug(label):
    return re.sub(r"[^a-z0-9]+", "_", values.plain(label.replace(" ", "-").replace("_", "-")).replace("-", "_")).strip("_")


def labelled(rng, split, language, kind):
    place = 2 * LANGUAGES.index(language) + SPLITS.index(split)
    label, carrier = rng.choice(templates.LABELS[kind][place]), rng.choice(templates.CARRIERS[split])
    return carrier.format(l=label, L=label.upper(), k=slug(label), n="ref", v="{" + kind + "}")


def secret(rng, split, language, kind):
    prose = templates.SECRET_PROSE[split][language]
    if kind in prose and (kind in ("PRIVATE_KEY", "URL_CREDENTIALS", "CONNECTION_STRING") or rng.random() < 0.5):
        return rng.choice(prose[kind])
    names = templates.SECRET_NAMES[split]
    if kind not in names and "" in prose and rng.random() < 0.4:
        return rng.choice(prose[""]).replace("{*}", "{" + kind + "}")
    name = rng.choice(names.get(kind, [kind.lower()] + names[""]))
    camel = "".join(part.capitalize() if i else part for i, part in enumerate(name.split("_")))
    return rng.choice(templates.SECRET_CARRIERS[split]).format(n=name, N=name.upper(), c=camel, f=name.lower().replace("_", "-"), v="{" + kind + "}")


def fragment(rng, split, language, kind):
    if kind in values.SECRETS:
        return secret(rng, split, language, kind)
    prose = templates.PROSE[split][language].get(kind)
    return rng.choice(prose) if prose and rng.random() < 0.55 else labelled(rng, split, language, kind)


def part(split, language):
    rng = random.Random(f"{SEED}/{split}/{language}")
    structured, loose, secrets = COUNTS[split]
    kinds = [k for k in values.MAKERS for _ in range(secrets if k in values.SECRETS else loose if k in LOOSE else structured)]
    rng.shuffle(kinds)
    texts = []
    while kinds:
        pieces = [fragment(rng, split, language, kinds.pop()) for _ in range(min(len(kinds), rng.choice([1, 2, 2, 3])))]
        pieces += [rng.choice(templates.NEGATIVES[split][language]) for _ in range(rng.choice([0, 1, 1, 2]))]
        pieces += [rng.choice(templates.FILLER[split][language]) for _ in range(rng.choice([0, 0, 1, 2]))]
        rng.shuffle(pieces)
        texts.append(rng.choice(["\n", "\n", "\n\n"]).join(fill(rng, piece, language) for piece in pieces))
    texts += ["\n".join(fill(rng, rng.choice(templates.NEGATIVES[split][language]), language) for _ in range(3)) for _ in range(structured)]
    return "\n----\n".join(texts) + "\n"


def mistakes():
    """Marked values whose check digits are wrong, of the whole corpus."""
    digits = lambda text: re.sub(r"\D", "", text)
    bare = lambda text: re.sub(r"[\s.\-\u00a0\u202f]", "", text).upper()
    rules = {
        "CREDIT_CARD": lambda v: check.luhn_holds(digits(v)), "IBAN_CODE": lambda v: check.mod97(bare(v)[4:] + bare(v)[:4]) == 1,
        "FR_NIR": lambda v: check.nir_key(bare(v)[:13]) == bare(v)[13:], "FR_SIREN": lambda v: len(digits(v)) == 9 and check.luhn_holds(digits(v)),
        "FR_SIRET": lambda v: len(digits(v)) == 14 and check.luhn_holds(digits(v)), "FR_TVA": lambda v: check.tva_key(bare(v)[4:]) == bare(v)[2:4],
        "UK_NHS": lambda v: check.nhs(digits(v)[:9]) == digits(v)[9:], "ES_NIF": lambda v: check.spanish_letter(int(digits(v))) == bare(v)[-1],
        "ES_NIE": lambda v: check.spanish_letter(int("XYZ".index(bare(v)[0]) * 10 ** 7 + int(digits(v)))) == bare(v)[-1],
        "IT_FISCAL_CODE": lambda v: check.italian_letter(bare(v)[:15]) == bare(v)[15:], "DE_TAX_ID": lambda v: check.german_tax(digits(v)[:10]) == digits(v)[10:],
        "BE_NATIONAL_NUMBER": lambda v: digits(v)[9:] in (check.belgian(digits(v)[:9], 1999), check.belgian(digits(v)[:9], 2000)),
        "NL_BSN": lambda v: check.dutch(digits(v)[:8]) == digits(v)[8:], "PL_PESEL": lambda v: check.polish(digits(v)[:10]) == digits(v)[10:],
        "PT_NIF": lambda v: check.portuguese(digits(v)[:8]) == digits(v)[8:], "CH_AHV": lambda v: check.ean13(digits(v)[:12]) == digits(v)[12:],
    }
    for path in sorted(ROOT.glob("*/*/*.txt")):
        for kind, value in re.findall(r"\[\[([A-Z_]+)\|(.*?)\]\]", path.read_text(), re.S):
            if kind not in values.MAKERS or not rules.get(kind, lambda v: True)(value) or (kind in values.SECRETS and "¦" not in value):
                yield f"{path.relative_to(ROOT)}: {kind} {value!r}"


def shared():
    """Templates that stand in both halves, case aside."""
    def all_of(value):
        return [value.lower()] if isinstance(value, str) else [t for v in (value.values() if isinstance(value, dict) else value) for t in all_of(v)]
    halves = [(templates.LABELS[kind][2 * i], templates.LABELS[kind][2 * i + 1]) for kind in templates.LABELS for i in range(len(LANGUAGES))]
    for table in (templates.CARRIERS, templates.PROSE, templates.SECRET_NAMES, templates.SECRET_CARRIERS, templates.SECRET_PROSE, templates.NEGATIVES, templates.FILLER):
        halves.append((table["dev"], table["held-out"]))
    for dev, held_out in halves:
        yield from (f"in both halves: {one!r}" for one in sorted(set(all_of(dev)) & set(all_of(held_out))))


def main():
    outdated = list(shared())
    for split in SPLITS:
        for language in LANGUAGES:
            path, text = ROOT / split / language / "generated.txt", part(split, language)
            if "--check" not in sys.argv:
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                outdated.append(f"{path.relative_to(ROOT)}: not what generate.py writes")
    wrong = outdated + list(mistakes())
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
