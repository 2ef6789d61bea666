"""Values of every type in the spellings that people and programs use: `make(rng, type, language)`."""
import base64, json
import check_digits as check

DIGITS, HEX, LETTERS = "0123456789", "0123456789abcdef", check.LETTERS
WORD = LETTERS + LETTERS.lower() + DIGITS

FIRST = {
    "en": "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas Karen "
          "Christopher Sarah Daniel Nancy Matthew Lisa Anthony Ashley Mark Emily Donald Kimberly Steven Donna Andrew Michelle Paul Carol "
          "Joshua Amanda Kenneth Melissa Oliver Amelia Harry Isla George Freya Aisha Mohammed Priya Rahul Wei Mei Siobhan Niamh Rhys Owen "
          "Kwame Amara Diego Lucia Yuki Sven Ingrid Tariq Fatima Zoe",
    "fr": "Jean Marie Pierre Nathalie Michel Isabelle Philippe Sylvie Alain Catherine Nicolas Martine Christophe Christine Patrick Françoise "
          "Daniel Valérie Bernard Sandrine Christian Stéphanie Frédéric Véronique Laurent Sophie Sébastien Céline Éric Chantal David Patricia "
          "Stéphane Anne Olivier Brigitte Thierry Julie Camille Léa Hugo Chloé Théo Manon Inès Mehdi Yasmine Karim Fatou Mamadou Aïcha Benoît "
          "Gaëlle Loïc Maël Élodie Jean-Luc Marie-Claire Anne-Sophie Jean-Baptiste Zoé Noé",
}
LAST = {
    "en": "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson Martin Thompson White Harris Clark Lewis "
          "Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson Carter Mitchell Roberts Turner Phillips Campbell Parker "
          "Evans Edwards Collins Stewart Morris O'Connor O'Brien McDonald MacLeod Fitzgerald Patel Khan Singh Nguyen Chen Okafor Mensah "
          "Hernandez Kowalski Schmidt Andersson Tanaka Haddad Smith-Jones Ashworth Pemberton",
    "fr": "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy Roux Bertrand Morel "
          "Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèvre Faure Mercier Blanc Guérin Boyer Garnier Chevalier "
          "François Legrand Gauthier Perrin Robin Clément Morin Nicolas Henry Roussel Mathieu Gautier Masson Marchand Duval Denis Benali "
          "Diallo Traoré Nguyen Da Silva Le Gall Kerviel Le Goff D'Almeida Beauchêne Desjardins-Roy",
}
STREET = {
    "en": ["High Street", "Station Road", "Church Lane", "Victoria Road", "Mill Lane", "Queens Avenue", "Park Crescent", "Albert Terrace"],
    "us": ["Maple Street", "Oak Avenue", "Cedar Lane", "Washington Blvd", "Sunset Drive", "Elm St", "Lake Shore Dr", "Pine Ridge Rd"],
    "fr": ["rue de la République", "avenue Victor Hugo", "rue des Lilas", "boulevard Voltaire", "place de la Mairie", "chemin des Vignes",
           "allée des Tilleuls", "impasse du Moulin", "quai de la Fosse", "rue du Général-de-Gaulle", "route de Saint-Malo", "cours Gambetta"],
}
TOWN = {
    "en": [("Leeds", "LS1 4AP"), ("Bristol", "BS1 5TR"), ("York", "YO1 9TL"), ("Cardiff", "CF10 1EP"), ("London", "SW1A 2AA"),
           ("Glasgow", "G2 3BZ"), ("Norwich", "NR2 1TF"), ("Oxford", "OX1 3PN")],
    "us": [("Springfield, IL", "62704"), ("Portland, OR", "97205"), ("Austin, TX", "78701"), ("Denver, CO", "80203"),
           ("Madison, WI", "53703"), ("Boston, MA", "02108-1234")],
    "fr": [("Nantes", "44000"), ("Lyon", "69003"), ("Besançon", "25000"), ("Lille", "59800"), ("Quimper", "29000"), ("Paris", "75011"),
           ("Saint-Étienne", "42100"), ("Aix-en-Provence", "13100"), ("Pau", "64000"), ("Strasbourg", "67000")],
}
MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
}
HOSTS = ["db.internal", "10.2.3.4:5432", "cache-01.example.net:6379", "git.example.com", "registry.example.org", "localhost:27017"]
PASSWORDS = ["hunter2!", "Tr0ub4dor&3", "Bienvenue2024!", "S3cur1te#", "correct-horse-battery", "Winter!2025", "p@ssW0rd77", "azErty_93",
             "LeChatNoir9", "Zx9!kk02", "monkey-Blue-41", "Qwe!rty55", "Soleil*2023", "k7#mP2vX", "R00tMe-please", "Vendredi13?"]


def some(rng, letters, count):
    return "".join(rng.choice(letters) for _ in range(count))


def grouped(text, sizes, mark):
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at:at + size])
        at += size
    return mark.join(parts + ([text[at:]] if text[at:] else []))


def plain(text):
    table = str.maketrans("àâäçéèêëîïôöùûüÉÈÀÇÎ", "aaaceeeeiioouuuEEACI")
    return "".join(c for c in text.translate(table) if c.isalnum() or c == "-").lower()


def date(rng, first=1935, last=2006):
    return rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28)


# --- persons, places, dates -------------------------------------------------------------------------------------------------------

def person(rng, language):
    first, last = rng.choice(FIRST[language].split()), rng.choice(LAST[language].replace("Da S", "Da_S").replace("Le G", "Le_G").split())
    last = last.replace("_", " ")
    if language == "fr":
        return rng.choice([f"{first} {last}"] * 4 + [f"{first} {last.upper()}"] * 2 + [f"{last.upper()} {first}"])
    return rng.choice([f"{first} {last}"] * 5 + [f"{first} {rng.choice(LETTERS)}. {last}", f"{last}, {first}"])


def location(rng, language):
    if language == "fr":
        number = rng.choice([str(rng.randint(1, 180)), f"{rng.randint(1, 60)} bis", f"{rng.randint(1, 60)} ter"])
        (town, code), street = rng.choice(TOWN["fr"]), rng.choice(STREET["fr"])
        return rng.choice([f"{number} {street}, {code} {town}", f"{number}, {street} {code} {town}", f"{number} {street} - {code} {town.upper()}",
                           f"{number} {street}, {code} {town}, France"])
    if rng.random() < 0.5:
        (town, code), street = rng.choice(TOWN["us"]), rng.choice(STREET["us"])
        unit = rng.choice(["", "", ", Apt 4B", ", Suite 210", " #12"])
        return f"{rng.randint(10, 9800)} {street}{unit}, {town} {code}"
    (town, code), street = rng.choice(TOWN["en"]), rng.choice(STREET["en"])
    return rng.choice([f"{rng.randint(1, 220)} {street}, {town} {code}", f"Flat {rng.randint(1, 30)}, {rng.randint(1, 99)} {street}, {town}, {code}",
                       f"{rng.randint(1, 220)}{rng.choice('ABC')} {street}, {town}, {code}"])


def date_of_birth(rng, language):
    year, month, day = date(rng)
    name = MONTHS[language][month - 1]
    numeric = [f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}"]
    if language == "fr":
        return rng.choice(numeric * 2 + [f"{day} {name} {year}", f"{day:02d}.{month:02d}.{year}", f"{day:02d}-{month:02d}-{year}",
                                         f"1er {name} {year}"])
    return rng.choice(numeric + [f"{month:02d}/{day:02d}/{year}", f"{name} {day}, {year}", f"{day} {name} {year}", f"{day}-{name[:3]}-{year}"])


# --- addresses of people and machines ----------------------------------------------------------------------------------------------

def email(rng, language):
    first, last = plain(rng.choice(FIRST[language].split())), plain(rng.choice(LAST[language].split()))
    user = rng.choice([f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}{rng.randint(1, 99)}", f"{last}", f"{first}+{rng.choice(['news', 'rh', 'shop'])}",
                       f"{first}.{last}", f"{first.upper()}.{last.upper()}"])
    host = rng.choice(["example.com", "example.org", "mail.example.net", "example.fr", "example.co.uk", "corp.example.eu", "exemple-mairie.fr",
                       "acme-widgets.io", "univ-exemple.fr", "sub.dept.example.edu"])
    return f"{user}@{host}"


def phone(rng, language):
    if rng.random() < (0.75 if language == "fr" else 0.15):
        lead = rng.choice("1234567")
        body = lead + {"1": "99", "2": "40", "3": "88", "4": "72", "5": "56", "6": rng.choice(["12", "45", "71", "83"]), "7": "68"}[lead] + some(rng, DIGITS, 6)
        pairs = grouped(body[1:], (2, 2, 2, 2), rng.choice([" ", " ", ".", "-"]))
        mark = pairs[2]
        return rng.choice([f"0{lead}{mark}{pairs}", f"0{body}", f"+33 {lead} {pairs.replace(mark, ' ')}", f"+33{body}",
                           f"+33 (0){lead} {pairs.replace(mark, ' ')}", f"0033 {lead} {pairs.replace(mark, ' ')}"])
    kind = rng.choice(["us", "us", "uk", "uk", "de", "es", "it", "be", "ch", "nl"])
    n = lambda count: some(rng, DIGITS, count)
    if kind == "us":
        area, mid, end = rng.choice(["212", "415", "312", "617", "206", "512", "303"]), rng.choice(["555", "867", "234", "482"]), n(4)
        form = rng.choice(["({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "+1 {} {} {}", "+1-{}-{}-{}", "+1{}{}{}", "1-{}-{}-{}"])
        return form.format(area, mid, end)
    if kind == "uk":
        return rng.choice([f"020 7946 0{n(3)}", f"+44 20 7946 0{n(3)}", f"07911 12{n(4)}", f"+44 7911 12{n(4)}", f"0161 496 0{n(3)}",
                           f"+44 (0)161 496 0{n(3)}"])
    return {"de": f"+49 30 2{n(2)} {n(5)}", "es": f"+34 91{rng.randint(2, 8)} {n(2)} {n(2)} {n(2)}", "it": f"+39 06 6{n(3)} {n(4)}",
            "be": f"+32 2 5{n(2)} {n(2)} {n(2)}", "ch": f"+41 44 6{n(2)} {n(2)} {n(2)}", "nl": f"+31 20 6{n(2)} {n(4)}"}[kind]


def ip_address(rng, _):
    four = [str(rng.choice([10, 172, 192, 203, 51, 185, 8, 93])), str(rng.randint(0, 255)), str(rng.randint(0, 255)), str(rng.randint(1, 254))]
    six = ["2001", "db8"] + [f"{rng.randint(1, 65535):x}" for _ in range(6)]
    return rng.choice([".".join(four)] * 4 + [":".join(six), f"2001:db8::{six[2]}:{six[3]}", f"fe80::{six[2]}:{six[3]}:{six[4]}:{six[5]}",
                                              f"2001:db8:{six[2]}::1"])


def mac_address(rng, _):
    six = [some(rng, HEX, 2) for _ in range(6)]
    six[0] = rng.choice(["00", "3c", "a4", "b8", "d0", "52"])
    form = rng.choice([":".join(six), ":".join(six), "-".join(six), grouped("".join(six), (4, 4), ".")])
    return form if rng.random() < 0.5 or "." in form else form.upper()


# --- money -------------------------------------------------------------------------------------------------------------------------

CARDS = [("4", 16), ("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("36", 14), ("300", 14),
         ("6011", 16), ("65", 16), ("3530", 16), ("62", 16), ("62", 19), ("5018", 12), ("6304", 13), ("6759", 19)]


def credit_card(rng, _):
    lead, size = rng.choice(CARDS)
    body = lead + some(rng, DIGITS, size - 1 - len(lead))
    number = body + check.luhn(body)
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(size, (4,) * (size // 4))
    return rng.choice([number, grouped(number, sizes, " "), grouped(number, sizes, " "), grouped(number, sizes, "-")])


def iban_code(rng, language):
    n = lambda count: some(rng, DIGITS, count)
    country = rng.choice((["FR"] * 8 if language == "fr" else ["GB", "DE", "IE", "FR"]) + ["DE", "GB", "ES", "IT", "BE", "PT", "NL", "CH", "LU", "AT", "PL"])
    if country == "FR":
        bank, branch, account = n(5), n(5), n(rng.choice([11, 11, 10]))
        account = account if len(account) == 11 else account + rng.choice(LETTERS)
        inner = bank + branch + account + check.rib_key(bank, branch, account)
    elif country == "ES":
        bank, account = n(8), n(10)
        inner = bank + check.spanish_account_digits(bank, account) + account
    elif country == "IT":
        rest = n(22)
        inner = check.italian_letter(rest) + rest
    elif country == "BE":
        rest = n(10)
        inner = rest + f"{int(rest) % 97 or 97:02d}"
    elif country == "PT":
        rest = n(19)
        inner = rest + f"{98 - int(rest + '00') % 97:02d}"
    elif country == "PL":
        bank = n(7)
        inner = bank + str(-sum(int(d) * w for d, w in zip(bank, (3, 9, 7, 1, 3, 9, 7))) % 10) + n(16)
    elif country == "NL":
        account = next(a for a in iter(lambda: n(10), None) if sum(int(d) * w for d, w in zip(a, range(10, 0, -1))) % 11 == 0)
        inner = rng.choice(["ABNA", "INGB", "RABO"]) + account
    else:
        inner = {"DE": n(18), "GB": rng.choice(["NWBK", "BARC", "MIDL"]) + n(14), "IE": "AIBK" + n(14), "CH": n(17), "LU": n(16), "AT": n(16)}[country]
    number = check.iban(country, inner)
    form = rng.choice([number, grouped(number, (4,) * (len(number) // 4), " "), grouped(number, (4,) * (len(number) // 4), " ")])
    return form.lower() if rng.random() < 0.04 else form


def crypto(rng, _):
    raw = rng.randbytes(20)
    return rng.choice([
        lambda: check.base58check(b"\0" + raw), lambda: check.base58check(b"\0" + raw), lambda: check.base58check(b"\5" + raw),
        lambda: check.bech32("bc", 0, raw), lambda: check.bech32("bc", 0, rng.randbytes(32)), lambda: check.bech32("bc", 1, rng.randbytes(32)),
        lambda: check.eip55(raw.hex()), lambda: check.eip55(raw.hex()), lambda: "0x" + raw.hex(),
        lambda: check.bech32("ltc", 0, raw), lambda: check.base58check(b"\x30" + raw)])()


# --- papers and national numbers ---------------------------------------------------------------------------------------------------

def passport(rng, language):
    n = lambda count: some(rng, DIGITS, count)
    french = [f"{n(2)}{some(rng, LETTERS, 2)}{n(5)}", f"{n(2)} {some(rng, LETTERS, 2)} {n(5)}"]
    others = [n(9), rng.choice("ABCX") + n(8), "C" + rng.choice("0123FGHJK") + some(rng, "CFGHJKLMNPRTVWXYZ0123456789", 7), "YA" + n(7),
              some(rng, LETTERS, 3) + n(6), "E" + some(rng, LETTERS, 1) + n(6)]
    return rng.choice(french * 4 + others if language == "fr" else others + french[:1])


def id_card(rng, language):
    n = lambda count: some(rng, DIGITS, count)
    belgian = n(10)
    belgian += f"{int(belgian) % 97 or 97:02d}"
    french = [n(2) + n(2) + n(3) + n(5), some(rng, "CDFGHJKLMNPRTVWXYZ", 1) + n(1) + some(rng, "CDFGHJKLMNPRTVWXYZ0123456789", 6) + n(1)]
    others = [rng.choice("LMNPRTVWXYJ") + some(rng, "CFGHJKLMNPRTVWXYZ0123456789", 7) + n(1), "CA" + n(5) + some(rng, LETTERS, 2),
              grouped(belgian, (3, 7), "-")]
    return rng.choice(french * 3 + others if language == "fr" else others + french)


def fr_nir(rng, _):
    place = rng.choice([f"{rng.randint(1, 19):02d}", f"{rng.randint(21, 95):02d}", "2A", "2B", "99"]) + f"{rng.randint(1, 989):03d}"
    body = f"{rng.choice('12')}{rng.randint(0, 99):02d}{rng.randint(1, 12):02d}{place}{rng.randint(1, 999):03d}"
    number = body + check.nir_key(body)
    return rng.choice([number, grouped(number, (1, 2, 2, 2, 3, 3), " "), grouped(number, (1, 2, 2, 2, 3, 3), " "), grouped(number, (13,), " "),
                       grouped(number, (1, 2, 2, 2, 3, 3), "."), grouped(number, (1, 2, 2, 2, 3, 3), "-")])


def siren(rng):
    body = rng.choice("34578") + some(rng, DIGITS, 7)
    return body + check.luhn(body)


def fr_siren(rng, _):
    number = siren(rng)
    return rng.choice([number, grouped(number, (3, 3), " "), grouped(number, (3, 3), " "), grouped(number, (3, 3), "\u00a0")])


def fr_siret(rng, _):
    body = siren(rng) + f"{rng.randint(1, 60):04d}"
    number = body + check.luhn(body)
    return rng.choice([number, grouped(number, (3, 3, 3), " "), grouped(number, (9,), " ")])


def fr_tva(rng, _):
    number = siren(rng)
    key = check.tva_key(number)
    return rng.choice([f"FR{key}{number}", f"FR {key} {grouped(number, (3, 3), ' ')}", f"FR{key} {number}", f"FR {key}{number}"])


def us_ssn(rng, _):
    area = rng.choice([a for a in range(1, 900) if a != 666])
    parts = f"{area:03d}", f"{rng.randint(1, 99):02d}", f"{rng.randint(1, 9999):04d}"
    return rng.choice(["-", "-", "-", " ", ""]).join(parts)


def us_itin(rng, _):
    group = rng.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])
    return rng.choice(["-", "-", " ", ""]).join((f"9{some(rng, DIGITS, 2)}", f"{group:02d}", some(rng, DIGITS, 4)))


def uk_nhs(rng, _):
    while True:
        body = rng.choice("4679") + some(rng, DIGITS, 8)
        if check.nhs(body):
            return rng.choice([body + check.nhs(body), grouped(body + check.nhs(body), (3, 3), " "), grouped(body + check.nhs(body), (3, 3), "-")])


def uk_nino(rng, _):
    while True:
        lead = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
        if lead not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ", "OO"):
            number = lead + some(rng, DIGITS, 6) + rng.choice("ABCD")
            return rng.choice([number, grouped(number, (2, 2, 2, 2), " "), grouped(number, (2, 6), " ")])


def es_nif(rng, _):
    number = rng.randint(10_000_000, 79_999_999)
    letter = check.spanish_letter(number)
    return rng.choice([f"{number}{letter}", f"{number}{letter}", f"{number}-{letter}", f"{number:,}".replace(",", ".") + f"-{letter}"])


def es_nie(rng, _):
    lead, rest = rng.choice("XYZ"), some(rng, DIGITS, 7)
    letter = check.spanish_letter(int(str("XYZ".index(lead)) + rest))
    return rng.choice([f"{lead}{rest}{letter}", f"{lead}{rest}{letter}", f"{lead}-{rest}-{letter}"])


def it_fiscal_code(rng, _):
    body = some(rng, "BCDFGLMNPRSTVZ", 6) + f"{rng.randint(0, 99):02d}" + rng.choice("ABCDEHLMPRST")
    body += f"{rng.choice([0, 40]) + rng.randint(1, 28):02d}" + rng.choice("ABCDEFGHILZ") + f"{rng.randint(100, 950):03d}"
    number = body + check.italian_letter(body)
    return rng.choice([number, number, number, grouped(number, (3, 3, 5), " "), number.lower()])


def de_tax_id(rng, _):
    digits = list(DIGITS)
    rng.shuffle(digits)
    digits[rng.randint(1, 8)] = digits[9] if digits[9] != "0" else digits[0]
    while digits[0] == "0" or len(set(digits)) != 9:
        rng.shuffle(digits)
        if len(set(digits)) != 9:
            digits = list(DIGITS[1:]) + ["5"]
    body = "".join(digits)
    number = body + check.german_tax(body)
    return rng.choice([number, grouped(number, (2, 3, 3), " "), grouped(number, (2, 3, 3), " ")])


def be_national_number(rng, _):
    year, month, day = date(rng, 1940, 2012)
    body = f"{year % 100:02d}{month:02d}{day:02d}{rng.randint(1, 997):03d}"
    number = body + check.belgian(body, year)
    return rng.choice([number, f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}", f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}",
                       f"{number[:6]}-{number[6:9]}-{number[9:]}"])


def nl_bsn(rng, _):
    while True:
        body = rng.choice("12345") + some(rng, DIGITS, 7)
        if check.dutch(body):
            return rng.choice([body + check.dutch(body)] * 2 + [grouped(body + check.dutch(body), (4, 2), "."), grouped(body + check.dutch(body), (3, 3), " ")])


def pl_pesel(rng, _):
    year, month, day = date(rng, 1940, 2012)
    body = f"{year % 100:02d}{month + (20 if year >= 2000 else 0):02d}{day:02d}{some(rng, DIGITS, 4)}"
    return body + check.polish(body)


def pt_nif(rng, _):
    body = rng.choice("1235") + some(rng, DIGITS, 7)
    number = body + check.portuguese(body)
    return rng.choice([number, grouped(number, (3, 3), " "), "PT" + number])


def ch_ahv(rng, _):
    body = "756" + some(rng, DIGITS, 9)
    number = body + check.ean13(body)
    return rng.choice([number, grouped(number, (3, 4, 4), "."), grouped(number, (3, 4, 4), "."), grouped(number, (3, 4, 4), " ")])


# --- secrets -----------------------------------------------------------------------------------------------------------------------

def token(lead, letters, count):
    return lambda rng, _: lead + some(rng, letters, count)


def one_of(*makers):
    return lambda rng, language: rng.choice(makers)(rng, language)


def checked_token(lead):
    def make(rng, _):
        body = some(rng, WORD, 30)
        return lead + body + check.crc_base62(body)
    return make


def web_token(rng, _):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
    claims = {"sub": some(rng, DIGITS, 8), "iss": rng.choice(["https://id.example.com", "auth", "keycloak"]), "exp": rng.randint(1_700_000_000, 1_900_000_000)}
    head = {"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    return f"{part(head)}.{part(claims)}.{some(rng, WORD + '-_', rng.choice([43, 86]))}"


def private_key(rng, _):
    kind = rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    lines = [some(rng, WORD + "+/", 64) for _ in range(rng.randint(2, 4))] + [some(rng, WORD + "+/", 30) + "=="]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def github_fine(rng, _):
    return f"github_pat_{some(rng, WORD, 22)}_{some(rng, WORD, 59)}"


def generic_secret(rng, _):
    return rng.choice([some(rng, HEX, 32), some(rng, HEX, 64), some(rng, WORD, 32), some(rng, WORD, 40), some(rng, WORD + "-_", 43),
                       base64.b64encode(rng.randbytes(32)).decode(), some(rng, WORD, 24)])


def password(rng, _):
    return rng.choice([rng.choice(PASSWORDS), rng.choice(PASSWORDS), some(rng, WORD + "!#$%?*", rng.randint(9, 16)).replace("$", "§")])


MAKERS = {
    "EMAIL_ADDRESS": email, "PHONE_NUMBER": phone, "PERSON": person, "LOCATION": location, "DATE_OF_BIRTH": date_of_birth,
    "CREDIT_CARD": credit_card, "IBAN_CODE": iban_code, "CRYPTO": crypto, "IP_ADDRESS": ip_address, "MAC_ADDRESS": mac_address,
    "PASSPORT": passport, "ID_CARD": id_card, "FR_NIR": fr_nir, "FR_SIREN": fr_siren, "FR_SIRET": fr_siret, "FR_TVA": fr_tva,
    "US_SSN": us_ssn, "US_ITIN": us_itin, "UK_NHS": uk_nhs, "UK_NINO": uk_nino, "ES_NIF": es_nif, "ES_NIE": es_nie,
    "IT_FISCAL_CODE": it_fiscal_code, "DE_TAX_ID": de_tax_id, "BE_NATIONAL_NUMBER": be_national_number, "NL_BSN": nl_bsn,
    "PL_PESEL": pl_pesel, "PT_NIF": pt_nif, "CH_AHV": ch_ahv,
    "URL_CREDENTIALS": token("", WORD, 14), "CONNECTION_STRING": token("", WORD, 16), "GENERIC_SECRET": generic_secret, "PASSWORD": password,
    "PRIVATE_KEY": private_key, "JSON_WEB_TOKEN": web_token,
    "AWS_ACCESS_KEY": one_of(token("AKIA", LETTERS + "234567", 16), token("ASIA", LETTERS + "234567", 16)),
    "AWS_SECRET_KEY": token("", WORD + "+/", 40),
    "GITHUB_TOKEN": one_of(checked_token("ghp_"), checked_token("gho_"), checked_token("ghs_"), github_fine),
    "GITLAB_TOKEN": one_of(token("glpat-", WORD + "-_", 20), token("glpat-", WORD, 20), token("glrt-", WORD, 20)),
    "SLACK_TOKEN": one_of(lambda r, _: f"xoxb-{some(r, DIGITS, 12)}-{some(r, DIGITS, 13)}-{some(r, WORD, 24)}",
                          lambda r, _: f"xoxp-{some(r, DIGITS, 12)}-{some(r, DIGITS, 12)}-{some(r, DIGITS, 12)}-{some(r, HEX, 32)}",
                          lambda r, _: f"https://hooks.slack.com/services/T{some(r, LETTERS + DIGITS, 9)}/B{some(r, LETTERS + DIGITS, 9)}/{some(r, WORD, 24)}"),
    "STRIPE_KEY": one_of(token("sk_live_", WORD, 24), token("rk_live_", WORD, 24), token("sk_test_", WORD, 24), token("sk_live_51", WORD, 97)),
    "OPENAI_KEY": one_of(lambda r, _: f"sk-{some(r, WORD, 20)}T3BlbkFJ{some(r, WORD, 20)}",
                         lambda r, _: f"sk-proj-{some(r, WORD + '-_', 74)}T3BlbkFJ{some(r, WORD + '-_', 74)}", token("sk-", WORD, 48)),
    "ANTHROPIC_KEY": lambda r, _: f"sk-ant-api03-{some(r, WORD + '-_', 93)}AA",
    "GOOGLE_API_KEY": token("AIza", WORD + "-_", 35),
    "HUGGING_FACE_TOKEN": token("hf_", LETTERS + LETTERS.lower(), 34),
    "NPM_TOKEN": checked_token("npm_"),
    "PYPI_TOKEN": token("pypi-AgEIcHlwaS5vcmc", WORD + "-_", 140),
    "SENDGRID_KEY": lambda r, _: f"SG.{some(r, WORD + '-_', 22)}.{some(r, WORD + '-_', 43)}",
    "TWILIO_KEY": token("SK", HEX, 32),
}
SECRETS = list(MAKERS)[list(MAKERS).index("URL_CREDENTIALS"):]


def make(rng, kind, language):
    """A value; a secret is broken so that none stands in a file as it is used."""
    value = MAKERS[kind](rng, language)
    if kind not in SECRETS:
        return value
    if kind == "PRIVATE_KEY":
        return value.replace("BEGIN ", "BEGIN ¦").replace("END ", "END ¦")
    return value[:3] + "¦" + "¦".join(value[3 + i:13 + i] for i in range(0, len(value) - 3, 10))
