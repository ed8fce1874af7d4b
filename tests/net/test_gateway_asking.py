"""What a request asks of a gateway: paths, formats, Accept headers, ranges; and odd ones refused."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import CID

from agents.core.dataset.cid import Cid, digest_of
from agents.net.gateway.asking import LONG, _asked, asked
from agents.net.gateway.headers import _headers_of, headers_of
from agents.net.gateway.ranges import Span, Unsatisfiable, byte_range
from agents.net.listening import Refusal

FILE = Cid("dag-pb", digest_of(b"a file"))
PATH = f"/ipfs/{FILE}"
RAW, CAR = "application/vnd.ipld.raw", "application/vnd.ipld.car"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("query", "accept", "form", "negotiated"),
    [
        ("", "", "file", False),
        ("", "*/*", "file", False),
        ("", BROWSER, "file", False),
        ("", RAW, "raw", True),
        ("", f"{CAR};version=1;order=dfs;dups=y, {RAW};q=0.5", "car", True),
        ("", f"{CAR};q=0.4, {RAW}", "raw", True),
        ("", f"{CAR};dups=n, {RAW};q=0.1", "car", True),
        ("", f"{CAR};dups=x, {RAW};q=0.1", "raw", True),
        ("", f"{CAR};version=2, */*;q=0.1", "file", False),
        ("", "application/vnd.ipld.dag-json, text/html;q=0.5", "file", False),
        ("", f"{RAW.upper()} ; Q=0.5", "raw", True),
        ("?format=raw", CAR, "raw", True),
        ("?format=car&car-order=dfs&car-dups=y&car-version=1", "", "car", False),
        ("?filename=x.pdf", "", "file", False),
    ],
)
def test_forms(query: str, accept: str, form: str, negotiated: bool) -> None:
    found = asked(PATH + query, accept)
    assert (found.cid, found.form, found.negotiated) == (FILE, form, negotiated)


@pytest.mark.parametrize(
    ("target", "accept", "status"),
    [
        ("/", "", 404),
        ("/ipns/en.wikipedia.org", "", 404),
        ("/ipfs", "", 404),
        ("/ipfs/", "", 400),
        ("/ipfs/bafybogus", "", 400),
        (f"/ipfs/{'b' * 8000}", "", 400),
        (f"{PATH[:-1]}1", "", 400),
        (f"/ipfs/{CID('base32', 1, 'dag-json', ('sha2-256', bytes(32)))}", "", 400),
        (f"/ipfs/{CID('base32', 1, 'raw', ('sha2-512', bytes(64)))}", "", 400),
        (f"{PATH}/inside", "", 404),
        (f"/ipfs/../{FILE}", "", 400),
        (f"{PATH}?format=tar", "", 406),
        (f"{PATH}?format=ipns-record", "", 406),
        (f"{PATH}?format=zip", "", 400),
        (f"{PATH}?format=", "", 400),
        (PATH, "application/vnd.ipld.dag-json", 406),
        (PATH, "application/vnd.ipfs.ipns-record", 406),
        (PATH, f"{RAW};q=0", 406),
        (PATH, f"{RAW};q=x", 406),
        (PATH, f"{CAR};order=bfs", 406),
        (f"{PATH}?format=car&car-dups=some", "", 406),
        (f"{PATH}?format=car&car-version=2", CAR, 406),
        (f"{PATH}?format=car&dag-scope=some", "", 400),
        *(
            (f"{PATH}?format=car&entity-bytes={span}", "", 400)
            for span in ("", "1", "a:b", "1-2", "*:1", f"{'9' * 19}:*")
        ),
        (f"{PATH}?{'&'.join(['a=b'] * 17)}", "", 400),
        (f"{PATH}?filename=%ff", "", 400),
    ],
)
def test_refusals(target: str, accept: str, status: int) -> None:
    with pytest.raises(Refusal) as found:
        asked(target, accept)
    assert found.value.status == status


def test_a_file_may_be_asked_for_by_other_forms_of_its_cid() -> None:
    for base, version in (("base58btc", 0), ("base36", 1)):
        text = CID(base, version, "dag-pb", ("sha2-256", FILE.digest))
        assert asked(f"/ipfs/{text}", "").cid == FILE
        assert headers_of(asked(f"/ipfs/{text}", ""), None)["X-Ipfs-Path"] == f"/ipfs/{text}"
        assert asked(f"/ipfs/{text}/", "").etag == f'"{FILE}"'


@pytest.mark.parametrize(
    ("query", "accept", "dups"),
    [
        ("?format=car", "", "n"),
        ("?format=car", f"{CAR};version=1;order=dfs;dups=y", "y"),
        ("?format=car", f"{RAW}, {CAR};dups=y;q=0.5", "y"),
        ("?format=car&car-dups=n", f"{CAR};dups=y", "n"),
        ("?format=car", f"{CAR};version=2;dups=y", "n"),
        ("?car-dups=y", CAR, "y"),
        ("", f"{CAR};order=unk;dups=n", "n"),
    ],
)
def test_blocks_are_sent_again_where_that_is_asked_for_and_the_query_goes_first(
    query: str, accept: str, dups: str
) -> None:
    assert asked(PATH + query, accept).dups == dups


def test_an_answer_tells_under_which_path_it_is_had_without_a_header() -> None:
    for query in ("?format=raw", "?dag-scope=block", "?entity-bytes=-9:*&car-dups=y", "?entity-bytes=0:5", ""):
        found = asked(PATH + query, f"{CAR};dups=y" if "raw" not in query else RAW)
        again = asked(found.location, "")
        assert (again.etag, again.form) == (found.etag, found.form)
        assert headers_of(found, None)["Content-Location"] == found.location


def test_every_answer_has_its_own_etag() -> None:
    queries = [
        "",
        "?format=car&car-dups=y",
        "?format=raw",
        "?format=car",
        "?format=car&dag-scope=block",
        "?format=car&dag-scope=entity",
    ]
    queries += [f"?format=car&entity-bytes={span}" for span in ("0:*", "0:1", "1:*", "-1:*")]
    assert len({asked(PATH + query, "").etag for query in queries}) == len(queries)


@pytest.mark.parametrize(
    ("name", "query", "kind", "disposition"),
    [
        ("a file.txt", "", "text/plain; charset=utf-8", 'inline; filename="a file.txt"'),
        ("a.png", "?download=true", "image/png", 'attachment; filename="a.png"'),
        ("a.tar.gz", "", "application/octet-stream", 'inline; filename="a.tar.gz"'),
        ("none", "?filename=b.pdf", "application/pdf", 'inline; filename="b.pdf"'),
        (
            'é"\r\n.html', "", "text/html; charset=utf-8",
            "inline; filename=\"____.html\"; filename*=UTF-8''%C3%A9%22%0D%0A.html",
        ),
        ("x", f"?filename={quote('a/b%')}", "application/octet-stream", "inline; filename=\"a/b_\"; filename*=UTF-8''a%2Fb%25"),
        ("a.txt", "?format=raw", RAW, f'attachment; filename="{FILE}.bin"'),
        ("a.txt", "?format=car", f"{CAR}; version=1; order=dfs; dups=n", f'attachment; filename="{FILE}.car"'),
    ],
)  # fmt: skip
def test_types_and_names(name: str, query: str, kind: str, disposition: str) -> None:
    headers = headers_of(asked(PATH + query, ""), name)
    assert (headers["Content-Type"], headers["Content-Disposition"]) == (kind, disposition)
    assert headers["X-Ipfs-Roots"] == str(FILE)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=2-", range(2, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-30", range(10)),
        ("bytes=3-300", range(3, 10)),
        ("bytes=9-9", range(9, 10)),
        *(
            (odd, None)
            for odd in ("bytes=4-3", "bytes=-", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "0-1", f"bytes=0-{'9' * 30}")
        ),
    ],
)
def test_byte_ranges(header: str, part: range | None) -> None:
    assert byte_range(header, 10) == part


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-11", 10), ("bytes=-0", 10), ("bytes=-1", 0)]
)
def test_ranges_behind_the_end(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, size)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0:*", range(10)),
        ("2:4", range(2, 5)),
        ("2:400", range(2, 10)),
        ("-3:*", range(7, 10)),
        ("-30:*", range(10)),
        ("-5:-4", range(5, 7)),
        ("4:-4", range(4, 7)),
        ("5:4", range(5, 5)),
        ("5:-8", range(5, 5)),
        ("0:-11", range(0)),
        ("30:*", range(30, 30)),
    ],
)
def test_spans(text: str, part: range) -> None:
    assert Span.parse(text).within(10) == part
    assert str(Span.parse(text)) == text


@given(st.text(max_size=40), st.integers(0, 100))
def test_whatever_a_range_says_it_is_within_the_file(text: str, size: int) -> None:
    try:
        part = byte_range(f"bytes={text}", size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part.start < part.stop <= size


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_asked_it_is_understood_or_refused(rest: str, accept: str) -> None:
    with contextlib.suppress(Refusal):
        found = asked(f"{PATH}{rest}", accept)
        assert found.etag.startswith(f'"{found.name}')


@pytest.mark.parametrize(("length", "remembered"), [(8, 1), (LONG, 0)])
def test_what_is_long_is_not_remembered(length: int, remembered: int) -> None:
    _asked.cache_clear()
    _headers_of.cache_clear()
    found = asked(f"{PATH}?filename={'x' * length}", BROWSER)
    assert "x" * length in headers_of(found)["Content-Disposition"]
    assert (_asked.cache_info().currsize, _headers_of.cache_info().currsize) == (remembered, remembered)
