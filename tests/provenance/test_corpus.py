import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.corpus import KEYS, CorpusItem, CorpusManifest, Key, Search
from provenance.errors import CorpusError, TextError
from provenance.identity import digest
from provenance.name import words
from provenance.openscore import shipped_manifest


def item(name: str, composer: str = "Joseph Haydn", title: str = "String Quartet No.1") -> CorpusItem:
    return CorpusItem(
        identifier=name,
        title=title,
        composer=composer,
        born=1732,
        died=1809,
        first_published=None,
        source="https://example.org",
        licence="CC0-1.0",
        file_digest=digest(b"f" + name.encode()),
        content_digest=digest(b"c" + name.encode()),
    )


def manifest(names: list[str]) -> CorpusManifest:
    return CorpusManifest.of(id="c", title="t", source="s", licence="CC0-1.0", items=map(item, names))


names = st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True, max_size=20)


@given(names, st.sampled_from(KEYS), st.text("abcdefg", min_size=1, max_size=4))
def test_presence_and_absence_are_proven_for_every_key(members: list[str], key: Key, asked: str) -> None:
    corpus = manifest(members)
    proof = corpus.prove(key, item(asked).key(key))
    assert proof.present == (asked in members)
    assert "sha256:" + proof.root.hex() == getattr(corpus.roots, key)
    proof.check()


@given(names.filter(bool), st.sampled_from(KEYS), st.data())
def test_a_false_proof_is_refused(members: list[str], key: Key, data: st.DataObject) -> None:
    corpus = manifest(members)
    asked = data.draw(st.sampled_from(members))
    proof = corpus.prove(key, item(asked).key(key))
    with pytest.raises(CorpusError):
        replace(proof, present=False).check()
    with pytest.raises(CorpusError):
        replace(proof, root=bytes(32)).check()
    with pytest.raises(CorpusError):
        replace(proof, value=digest(b"else")).check()


@given(names.filter(lambda n: len(n) > 3), st.sampled_from(KEYS))
def test_neighbours_that_are_not_next_to_each_other_prove_nothing(members: list[str], key: Key) -> None:
    corpus = manifest(members)
    ordered = sorted(members, key=lambda name: item(name).key(key))
    first, third = (corpus.prove(key, item(ordered[i]).key(key)) for i in (0, 2))
    hidden = item(ordered[1]).key(key)
    false = replace(first, value=hidden, present=False, neighbours=first.neighbours + third.neighbours)
    with pytest.raises(CorpusError, match="neighbours"):
        false.check()


def test_a_few_lines_of_outside_code_verify_a_proof() -> None:
    document = json.loads(json.dumps(manifest(["a", "b", "c", "d", "e"]).prove("identifier", "c").to_document()))
    [neighbour] = document["neighbours"]
    leaf = json.dumps(neighbour["item"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    node, index, last = hashlib.sha256(b"\0" + leaf).digest(), neighbour["index"], document["size"] - 1
    for text in neighbour["path"]:  # RFC 9162, section 2.1.3.2
        sibling = bytes.fromhex(text.removeprefix("sha256:"))
        if index % 2 or index == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not index % 2 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    assert "sha256:" + node.hex() == document["root"]


def test_a_manifest_survives_writing_and_an_altered_one_is_refused(tmp_path) -> None:
    corpus = manifest(["a", "b"])
    corpus.to_file(tmp_path / "m.json")
    data = (tmp_path / "m.json").read_bytes()
    assert CorpusManifest.parse(data) == corpus == CorpusManifest.parse(corpus.to_bytes())
    with pytest.raises(CorpusError, match="altered"):
        CorpusManifest.parse(data.replace(b"1809", b"1810", 1))
    with pytest.raises(CorpusError, match=r"malformed at items\.0\.died"):
        CorpusManifest.parse(data.replace(b"1809", b'"x"', 1))


def test_identifiers_are_unique() -> None:
    with pytest.raises(CorpusError, match="'a'"):
        manifest(["a", "a"])


def test_names_are_found_without_case_and_accents() -> None:
    corpus = CorpusManifest.of(
        id="c", title="t", source="s", licence="CC0-1.0", items=[item("a", "Antonín Dvořák", "Quartet in F, Op.96")]
    )
    assert corpus.search(composer="dvorak").found
    assert corpus.search(title="op 96", composer="DVOŘÁK, Antonín").found
    near = corpus.search(composer="Dvorack")
    assert not near.found
    assert near.similar
    assert corpus.search(composer="Stravinsky") == Search((), (), None)
    assert corpus.search(title="Moonlight Sonata") == Search((), (), "title")


SHIPPED = shipped_manifest()
SIGNS = st.text(st.characters(categories=["Po", "Pd", "So", "Sm", "Zs", "Mn", "Cs", "Cc"]), min_size=1, max_size=8)


@settings(max_examples=30)
@given(SIGNS.filter(lambda text: not words(text)), st.sampled_from(["String Quartet", "Haydn", ""]))
def test_a_name_without_words_finds_nothing_rather_than_everything(signs: str, other: str) -> None:
    for asked in ({"title": signs, "composer": other}, {"title": other, "composer": signs}):
        with pytest.raises(TextError, match="nothing to look for"):
            SHIPPED.search(**asked)


def test_nothing_is_asked() -> None:
    with pytest.raises(TextError, match="Neither a title nor a composer"):
        SHIPPED.search()


@settings(max_examples=30)
@given(st.sampled_from(SHIPPED.items))
def test_every_item_is_found_by_its_names(found: CorpusItem) -> None:
    assert found in SHIPPED.search(title=found.title, composer=found.composer).found
    assert found in SHIPPED.search(composer=found.composer.upper()).found
    by_title = SHIPPED.search(title=found.title)
    assert found in by_title.found + by_title.similar


@settings(max_examples=30)
@given(st.text(max_size=12).filter(words), st.sampled_from(["", "Joseph Haydn", "J. S. Bach", "J."]))
def test_a_title_alone_is_never_a_no(title: str, composer: str) -> None:
    search = SHIPPED.search(title=title, composer=composer)
    certain = not search.found and search.doubt is None
    assert certain == (composer == "J. S. Bach")
    assert not (search.found and search.similar)
    assert not (search.found and search.doubt)


@pytest.mark.parametrize(
    ("title", "composer", "doubt"),
    [
        ("a", "", "similar"),
        ("No.1", "", "similar"),
        ("String Quartet", "", "common-title"),
        ("Op.44", "", "common-title"),
        ("K.464", "", "common-title"),
        ("The Lark", "", "title"),
        ("Der Tod und das Mädchen", "", "title"),
        ("\u0412\u0435\u0441\u043d\u0430", "", "script"),
        ("", "\u0428\u043e\u0441\u0442\u0430\u043a\u043e\u0432\u0438\u0447", "script"),
        ("", "李焕之", "script"),
        ("String Quartet", "李焕之", "script"),
        ("", "J. H.", "initials"),
        ("", "van", "initials"),
        ("a", "Q.", "initials"),
        ("", "Franz Joseph Haydn", "similar"),
        ("a", "Mozart", "similar"),
        ("The Lark", "Haydn", "other-title"),
        ("Op.59 No.1", "L. v. Beethoven", "other-title"),
        ("String Quartet No.13 in B major", "Beethoven", "similar"),
        ("Death and the Maiden", "Franz Peter Schubert", "similar"),
        ("Death and the Maiden", "Anton Reicha", "other-composer"),
        ("String Quartet", "Anton Reicha", None),
        ("\u0412\u0435\u0441\u043d\u0430", "Stravinsky", None),
        ("", "Taylor Swift", None),
    ],
)
def test_what_is_not_certain_is_said_to_be_so(title: str, composer: str, doubt: str | None) -> None:
    search = SHIPPED.search(title=title, composer=composer)
    assert not search.found
    assert search.doubt == doubt


@pytest.mark.parametrize(
    ("title", "composer", "number"),
    [
        ("Death and the Maiden", "", 1),
        ("Italian Serenade", "", 1),
        ("The Horseman", "", 1),
        ("String Quartet", "Haydn", 26),
        ("Op.51", "J. Brahms", 2),
        ("op 96", "DVOŘÁK, Antonín", 1),
        ("String Quartet No.13 in B-flat major, Op. 130", "Ludwig von Beethoven", 1),
        ("", "Mozart", 13),
    ],
)
def test_what_is_certain_is_found(title: str, composer: str, number: int) -> None:
    assert len(SHIPPED.search(title=title, composer=composer).found) == number


def test_where_one_composer_is_all_there_is_a_title_alone_finds_nothing() -> None:
    corpus = manifest(["a", "b"])
    assert corpus.search(title="String Quartet No.1").doubt == "common-title"
    assert len(corpus.search(title="String Quartet No.1", composer="Haydn").found) == 2


def test_the_shipped_manifest_names_110_cc0_items() -> None:
    corpus = shipped_manifest()
    assert len(corpus.items) == 110
    assert {each.licence for each in corpus.items} == {"CC0-1.0"}
    assert all(each.died and each.died <= 1950 for each in corpus.items)
    for key in KEYS:
        corpus.prove(key, corpus.items[7].key(key)).check()
