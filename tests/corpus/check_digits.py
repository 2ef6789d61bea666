"""Check digits of numbers, each from its official definition, written apart from the daemon's so that one may judge the other."""
import hashlib, zlib

CODE_B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CODE_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CODE_B62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def luhn(body):
    """ISO/IEC 7812-1 annex B: the digit that follows `body`."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def luhn_holds(number):
    return luhn(number[:-1]) == number[-1]


def mod97(text):
    """ISO 7064, modulus 97, of letters read as 10 to 35."""
    return int("".join(str(int(c, 36)) for c in text)) % 97


def iban(country, account):
    """ISO 13616: the whole number."""
    return f"{country}{98 - mod97(account + country + '00'):02d}{account}"


def rib_key(bank, branch, account):
    """Comité français d'organisation et de normalisation bancaires: letters of the account count as 1 to 9, from A, J and S (2)."""
    as_digit = lambda c: c if c.isdigit() else str((LETTERS.index(c) + (1 if c > "R" else 0)) % 9 + 1)
    digits = "".join(map(as_digit, account))
    return f"{97 - (89 * int(bank) + 15 * int(branch) + 3 * int(digits)) % 97:02d}"


def spanish_account_digits(bank, account):
    """Consejo Superior Bancario: two digits of modulus 11."""
    def one(ten):
        rest = 11 - sum(int(d) * w for d, w in zip(ten, (1, 2, 4, 8, 5, 10, 9, 7, 3, 6))) % 11
        return {10: "1", 11: "0"}.get(rest, str(rest))
    return one("00" + bank) + one(account)


ODD_VALUES = dict(zip("0123456789" + LETTERS, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20,
                                              11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]))


def italian_letter(body):
    """Decree of the Ministry of Finance of 23 December 1976 (fiscal code); the same sum is the CIN of an account."""
    even = lambda c: int(c) if c.isdigit() else LETTERS.index(c)
    return LETTERS[sum(ODD_VALUES[c] if place % 2 == 0 else even(c) for place, c in enumerate(body)) % 26]


def nir_key(body):
    """INSEE: 97 less the remainder; departments 2A and 2B count as 19 and 18."""
    return f"{97 - int(body.replace('2A', '19').replace('2B', '18')) % 97:02d}"


def tva_key(siren):
    """Article 286 ter of the tax code: 12 + 3 × (SIREN mod 97), mod 97."""
    return f"{(12 + 3 * (int(siren) % 97)) % 97:02d}"


def nhs(body):
    """NHS data dictionary: modulus 11; None where the digit would be 10."""
    rest = 11 - sum(int(d) * w for d, w in zip(body, range(10, 1, -1))) % 11
    return None if rest == 10 else str(rest % 11)


def spanish_letter(number):
    """Royal decree 1553/2005: the remainder by 23."""
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]


def german_tax(body):
    """ISO 7064, modulus 11,10."""
    product = 10
    for digit in body:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def belgian(body, year):
    """Royal decree of 3 April 1984: 97 less the remainder, a 2 before the digits of who was born from 2000."""
    return f"{97 - int(('2' if year >= 2000 else '') + body) % 97:02d}"


def dutch(body):
    """Elfproef: weights 9 to 2 and -1; None where no digit fits."""
    total = sum(int(d) * w for d, w in zip(body, range(9, 1, -1))) % 11
    return None if total == 10 else str(total)


def polish(body):
    """Act on the population register: weights 1, 3, 7, 9."""
    return str(-sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9) * 3)) % 10)


def portuguese(body):
    """Modulus 11, weights 9 to 2; 10 and 11 become 0."""
    rest = 11 - sum(int(d) * w for d, w in zip(body, range(9, 1, -1))) % 11
    return str(rest if rest < 10 else 0)


def ean13(body):
    """GS1: weights 1 and 3."""
    return str(-sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(body)) % 10)


def isbn10(body):
    rest = -sum(int(d) * w for d, w in zip(body, range(10, 1, -1))) % 11
    return "X" if rest == 10 else str(rest)


def base58check(payload):
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = CODE_B58[rest] + text
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + text


def bech32(prefix, version, program):
    """BIP 173 for version 0, BIP 350 for later ones."""
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    data = [version] + [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    state = 1
    for value in expanded + data + [0] * 6:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for i, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= part if top >> i & 1 else 0
    state ^= 1 if version == 0 else 0x2BC830A3
    data += [state >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(CODE_BECH32[d] for d in data)


def keccak256(message):
    """Keccak as Ethereum uses it: the padding of before FIPS 202, which the standard library does not have."""
    turn = lambda lane, by: (lane << by | lane >> (64 - by)) & (2 ** 64 - 1) if by else lane
    state = [[0] * 5 for _ in range(5)]
    message += b"\x01" + b"\0" * (-(len(message) + 1) % 136)
    message = message[:-1] + bytes([message[-1] | 0x80])
    for block in range(0, len(message), 136):
        for i in range(17):
            state[i % 5][i // 5] ^= int.from_bytes(message[block + 8 * i:block + 8 * i + 8], "little")
        register = 1
        for _ in range(24):
            column = [s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] for s in state]
            for x in range(5):
                for y in range(5):
                    state[x][y] ^= column[x - 1] ^ turn(column[(x + 1) % 5], 1)
            x, y, lane = 1, 0, state[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                lane, state[x][y] = state[x][y], turn(lane, (t + 1) * (t + 2) // 2 % 64)
            for y in range(5):
                row = [state[x][y] for x in range(5)]
                for x in range(5):
                    state[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
            for j in range(7):
                state[0][0] ^= (register & 1) << (1 << j) - 1
                register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return b"".join(state[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def eip55(address):
    """EIP-55: a letter is a capital where the hash of the address says so."""
    marks = keccak256(address.encode()).hex()
    return "0x" + "".join(c.upper() if int(m, 16) > 7 else c for c, m in zip(address, marks))


def crc_base62(body):
    """The last six characters of GitHub's and npm's tokens: CRC-32 of what is before, in base 62."""
    number, text = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        text = CODE_B62[rest] + text
    return text.rjust(6, "0")


if __name__ == "__main__":
    # Published examples: ISO 13616, BIP 173 and 350, EIP-55, the documents of the issuers.
    assert luhn("411111111111111") == "1" and iban("GB", "WEST12345698765432") == "GB82WEST12345698765432"
    assert iban("FR", "2004101005" + "0500013M026" + rib_key("20041", "01005", "0500013M026")) == "FR1420041010050500013M02606"
    assert iban("ES", "21000418" + spanish_account_digits("21000418", "0200051332") + "0200051332") == "ES9121000418450200051332"
    assert italian_letter("0542811101000000123456") == "X" and italian_letter("RSSMRA85T10A562") == "S"
    assert nhs("943476591") == "9" and spanish_letter(12345678) == "Z" and german_tax("8609574271") == "9"
    assert belgian("850730033", 1985) == "28" and dutch("11122233") == "3" and polish("4405140135") == "9"
    assert portuguese("50196484") == "3" and ean13("756921707698") == "5" and ean13("978030640615") == "7"
    assert tva_key("732829320") == "44" and nir_key("2550814168025") and isbn10("030640615") == "2"
    assert bech32("bc", 0, bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    program = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    assert bech32("bc", 1, program) == "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
    assert base58check(b"\0" + bytes.fromhex("62e907b15cbf27d5425399ebf6f0fb50ebb88f18")) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert eip55("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed") == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
