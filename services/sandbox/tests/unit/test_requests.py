"""Routing, multipart forms and Rest.li syntax."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.linkedin.restli import list_parameter, union_parameter, urn_parameter
from sandbox.web import MalformedBodyError, RefusedError, Request, Response, Route, Router, multipart

URN = "urn:li:organization:42"
ENCODED = "urn%3Ali%3Aorganization%3A42"


def _request(query: str) -> Request:
    return Request("GET", "/rest/posts", query, {}, b"", "http://sandbox/linkedin")


@given(st.binary(), st.text(min_size=1, max_size=20))
def test_forms_of_a_real_client_are_read(content: bytes, value: str) -> None:
    sent = httpx.Request("POST", "http://sandbox", files={"media": ("name=x.png", content)}, data={"index": value})
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    parts = multipart(sent.read(), boundary)
    assert parts["media"].content == content
    assert parts["index"].text == value


def test_the_name_of_a_part_is_not_its_filename() -> None:
    body = b'--b\r\nContent-Disposition: form-data; filename="f"; name="media"\r\n\r\nx\r\n--b--\r\n'
    assert list(multipart(body, b"b")) == ["media"]


@pytest.mark.parametrize(
    "body", [b"", b"--b--", b"--b\r\n\r\nx", b"junk--b--", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"]
)
def test_malformed_forms(body: bytes) -> None:
    try:
        assert multipart(body, b"b") == {}
    except MalformedBodyError:
        return
    assert body == b"--b--"


def test_fixed_paths_win_over_variable_ones() -> None:
    def answer(_request: Request) -> Response:
        return Response(200)

    router = Router(
        [Route("GET", "/users/{id}", "user", answer), Route("GET", "/users/me", "me", answer)],
    )
    fixed, variable = router.find("GET", "/users/me"), router.find("GET", "/users/urn%3Ali%3A1")
    assert fixed is not None
    assert variable is not None
    assert (fixed[0].call, variable[0].call, variable[1]) == ("me", "user", {"id": "urn:li:1"})
    assert router.find("POST", "/users/me") is None
    assert router.find("GET", "/users/1/posts") is None


def test_restli_parameters() -> None:
    request = _request(f"author={ENCODED}&shares=List({ENCODED},{ENCODED})&entity=(share:{ENCODED})")
    assert urn_parameter(request, "author") == URN
    assert list_parameter(request, "shares") == [URN, URN]
    assert list_parameter(request, "ugcPosts") == []
    assert union_parameter(request, "entity") == ("share", URN)


@pytest.mark.parametrize("query", [f"author={URN}", "", f"other={ENCODED}"])
def test_urns_must_be_encoded(query: str) -> None:
    with pytest.raises(RefusedError):
        urn_parameter(_request(query), "author")


@pytest.mark.parametrize("value", [f"List({URN})", f"{ENCODED}", f"List%28{ENCODED}%29"])
def test_the_brackets_of_a_list_must_not_be_encoded(value: str) -> None:
    with pytest.raises(RefusedError):
        list_parameter(_request(f"shares={value}"), "shares")


def test_what_is_not_a_union() -> None:
    with pytest.raises(RefusedError):
        union_parameter(_request(f"entity={ENCODED}"), "entity")
