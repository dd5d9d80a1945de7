"""Uploading media to X and using it in posts."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

import pytest


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter")


@pytest.fixture
def video(control: Any) -> bytes:
    return bytes(control.sample("video.mp4", bytes=300_000))


@pytest.fixture
def image(control: Any) -> bytes:
    return bytes(control.sample("image.png"))


def _initialize(account: Any, content: bytes, category: str = "tweet_video", kind: str = "video/mp4") -> str:
    answer = account.http.post(
        "/2/media/upload/initialize",
        json={"media_type": kind, "media_category": category, "total_bytes": len(content)},
    )
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["media_key"].endswith(f"_{data['id']}")
    return str(data["id"])


def _append(account: Any, media_id: str, index: int, content: bytes) -> Any:
    return account.http.post(
        f"/2/media/upload/{media_id}/append", data={"segment_index": str(index)}, files={"media": content}
    )


def _finalize(account: Any, media_id: str) -> Any:
    return account.http.post(f"/2/media/upload/{media_id}/finalize")


def _uploaded(account: Any, content: bytes, **more: Any) -> str:
    media_id = _initialize(account, content, **more)
    assert _append(account, media_id, 0, content).status_code == 200
    assert _finalize(account, media_id).status_code == 200
    return media_id


def _image(account: Any, content: bytes) -> str:
    answer = account.http.post(
        "/2/media/upload", data={"media_category": "tweet_image"}, files={"media": ("a.png", content)}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def _processing(account: Any, media_id: str) -> Any:
    answer = account.http.get("/2/media/upload", params={"command": "STATUS", "media_id": media_id})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["processing_info"]


def _post(account: Any, *media_ids: str, text: str = "Look") -> Any:
    return account.http.post("/2/tweets", json={"text": text, "media": {"media_ids": list(media_ids)}})


def _invalid(answer: Any) -> bool:
    return bool(answer.status_code == 400 and answer.json()["errors"][0]["message"] == "Your media IDs are invalid.")


def test_a_video_in_parts_is_processed_and_published(control: Any, amara: Any, video: bytes) -> None:
    control.settings(twitter={"media_processing_seconds": 60})
    media_id = _initialize(amara, video)
    # Parts may come in any order and more than once.
    for index in (2, 0, 1, 1):
        answer = _append(amara, media_id, index, video[index * 100_000 : (index + 1) * 100_000])
        assert answer.json()["data"]["expires_at"] > 1_700_000_000
    data = _finalize(amara, media_id).json()["data"]
    assert (data["size"], data["processing_info"]["state"]) == (300_000, "pending")
    assert _invalid(_post(amara, media_id))
    control.advance(30)
    progress = _processing(amara, media_id)
    assert progress["state"] == "in_progress"
    assert 50 <= progress["progress_percent"] < 100
    assert 1 <= progress["check_after_secs"] <= 5
    control.advance(31)
    assert _processing(amara, media_id) == {"state": "succeeded", "progress_percent": 100}
    assert _post(amara, media_id).status_code == 201
    (file,) = control.posts(amara)[0]["media"]
    assert (file["kind"], file["bytes"], file["duration"]) == ("video", 300_000, 3.0)
    assert file["sha256"] == hashlib.sha256(video).hexdigest()


def test_parts_as_json(amara: Any, image: bytes) -> None:
    media_id = _initialize(amara, image, "tweet_image", "image/png")
    body = {"segment_index": 0, "media": base64.b64encode(image).decode()}
    assert amara.http.post(f"/2/media/upload/{media_id}/append", json=body).status_code == 200
    data = _finalize(amara, media_id).json()["data"]
    assert "processing_info" not in data
    assert data["image"] == {"image_type": "image/png", "w": 320, "h": 240}
    assert _post(amara, media_id).status_code == 201


def test_the_command_style(control: Any, amara: Any, video: bytes) -> None:
    control.settings(twitter={"media_processing_seconds": 0})
    started = amara.http.post(
        "/2/media/upload",
        data={
            "command": "INIT",
            "media_type": "video/mp4",
            "media_category": "tweet_video",
            "total_bytes": str(len(video)),
        },
    )
    media_id = started.json()["data"]["id"]
    amara.http.post(
        "/2/media/upload",
        data={"command": "APPEND", "media_id": media_id, "segment_index": "0"},
        files={"media": video},
    )
    ended = amara.http.post("/2/media/upload", params={"command": "FINALIZE"}, data={"media_id": media_id})
    assert ended.json()["data"]["processing_info"]["state"] == "succeeded"
    assert _post(amara, media_id).status_code == 201
    calls = [request["call"] for request in control.done(control.http.get("/requests"))["requests"]]
    assert calls == ["upload_init", "upload_append", "upload_finalize", "create_post"]
    assert amara.http.post("/2/media/upload", data={"command": "DANCE", "media_id": media_id}).status_code == 400


def test_four_images_with_alt_text(control: Any, amara: Any) -> None:
    ids = [_image(amara, control.sample("image.png", shade=shade)) for shade in range(4)]
    described = amara.http.post(
        "/2/media/metadata", json={"id": ids[0], "metadata": {"alt_text": {"text": "A cup of tea"}}}
    )
    assert described.json() == {"data": {"id": ids[0], "associated_metadata": {"alt_text": {"text": "A cup of tea"}}}}
    too_long = {"id": ids[0], "metadata": {"alt_text": {"text": "a" * 1001}}}
    assert amara.http.post("/2/media/metadata", json=too_long).status_code == 400
    assert _post(amara, *ids, text="").status_code == 201
    media = control.posts(amara)[0]["media"]
    assert [file["id"] for file in media] == ids
    assert media[0]["alt_text"] == "A cup of tea"
    query = {"tweet.fields": "entities", "expansions": "attachments.media_keys", "media.fields": "alt_text,url"}
    body = amara.http.get(f"/2/users/{amara.id}/tweets", params=query).json()
    assert [item["media_key"] for item in body["includes"]["media"]] == body["data"][0]["attachments"]["media_keys"]
    assert body["includes"]["media"][0]["alt_text"] == "A cup of tea"
    # The text of a post with media ends with a link to it.
    url = body["data"][0]["entities"]["urls"][-1]
    assert body["data"][0]["text"][url["start"] : url["end"]] == url["url"]
    assert url["expanded_url"].endswith("/photo/1")


def test_media_that_a_post_may_not_use(control: Any, amara: Any, image: bytes, video: bytes) -> None:
    control.settings(twitter={"media_processing_seconds": 0})
    bola = control.account("twitter", "bola")
    one, other = _image(amara, image), _image(amara, control.sample("image.png", shade=1))
    clip = _uploaded(amara, video)
    unfinished = _initialize(amara, image, "tweet_image", "image/png")
    assert _invalid(_post(amara, "12345"))
    assert _invalid(_post(amara, unfinished))
    assert _invalid(_post(amara, one, one))
    assert _invalid(_post(amara, one, clip))
    assert _invalid(_post(amara, clip, _uploaded(amara, control.sample("video.mp4", shade=1))))
    assert _invalid(_post(bola, one))
    control.advance(7_000)
    assert _post(amara, one, other).status_code == 201
    assert control.posts(bola) == []


def test_media_expires(control: Any, amara: Any, image: bytes) -> None:
    media_id = _image(amara, image)
    control.settings(twitter={"access_token_seconds": 200_000})
    body = {"grant_type": "refresh_token", "refresh_token": amara.refresh_token, "client_id": "app"}
    amara.http.headers["Authorization"] = (
        f"Bearer {amara.http.post('/2/oauth2/token', data=body).json()['access_token']}"
    )
    control.advance(86_390)
    assert _post(amara, media_id).status_code == 201
    control.advance(11)
    assert _invalid(_post(amara, media_id, text="Again"))


def test_media_can_be_shared(control: Any, amara: Any, image: bytes) -> None:
    bola = control.account("twitter", "bola")
    body = {
        "media_type": "image/png",
        "media_category": "tweet_image",
        "total_bytes": len(image),
        "additional_owners": [bola.id],
    }
    media_id = amara.http.post("/2/media/upload/initialize", json=body).json()["data"]["id"]
    _append(amara, media_id, 0, image)
    _finalize(amara, media_id)
    assert _post(bola, media_id).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"media_type": "video/mp4", "media_category": "tweet_video"},
        {"media_type": "video/avi", "media_category": "tweet_video", "total_bytes": 1},
        {"media_type": "video/mp4", "media_category": "TweetVideo", "total_bytes": 1},
        {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": 5 * 1024 * 1024 + 1},
        {"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": -1},
        {"media_type": "video/mp4", "media_category": "tweet_video", "total_bytes": 1, "name": "a.mp4"},
    ],
)
def test_uploads_outside_the_schema(amara: Any, body: dict[str, object]) -> None:
    assert amara.http.post("/2/media/upload/initialize", json=body).status_code == 400


def test_parts_must_fit(control: Any, amara: Any, image: bytes) -> None:
    control.settings(twitter={"max_segment_bytes": 500})
    media_id = _initialize(amara, image, "tweet_image", "image/png")
    assert _append(amara, media_id, 0, b"").status_code == 400
    assert _append(amara, media_id, 0, b"x" * 501).status_code == 400
    assert _append(amara, media_id, 1000, b"x").status_code == 400
    assert amara.http.post(f"/2/media/upload/{media_id}/append", files={"media": b"x"}).status_code == 400
    assert amara.http.post(f"/2/media/upload/{media_id}/append", content=b"x").status_code == 400
    assert _append(amara, media_id, 1, b"x").status_code == 200
    assert _finalize(amara, media_id).status_code == 400
    assert _append(amara, "12345", 0, b"x").status_code == 400
    for index in range(2, -(-len(image) // 500) + 1):
        _append(amara, media_id, index, b"x" * 500)
    assert "exceed" in _append(amara, media_id, 900, b"x" * 500).json()["errors"][0]["message"]


def test_a_finalized_upload_takes_no_more(amara: Any, image: bytes) -> None:
    media_id = _uploaded(amara, image, category="tweet_image", kind="image/png")
    assert _append(amara, media_id, 0, image).status_code == 400
    assert _finalize(amara, media_id).status_code == 200


def test_files_that_are_not_what_they_say(control: Any, amara: Any, image: bytes) -> None:
    control.settings(twitter={"media_processing_seconds": 0})
    clip = _uploaded(amara, image)
    failed = _processing(amara, clip)
    assert failed["state"] == "failed"
    assert failed["error"] == {"code": 1, "name": "InvalidMedia", "message": "Unsupported video format"}
    assert _invalid(_post(amara, clip))
    answer = amara.http.post("/2/media/upload", data={"media_category": "tweet_image"}, files={"media": b"no image"})
    assert answer.status_code == 400


def test_videos_outside_the_specification_fail_in_the_post(control: Any, amara: Any) -> None:
    control.settings(twitter={"media_processing_seconds": 0})
    wide = _uploaded(amara, control.sample("video.mp4", w=640, h=208))
    assert _processing(amara, wide)["state"] == "succeeded"
    assert _invalid(_post(amara, wide))
    long = _uploaded(amara, control.sample("video.mp4", seconds=141))
    answer = _post(amara, long)
    assert (answer.status_code, "longer than 2 minutes" in answer.json()["detail"]) == (403, True)


def test_animations(control: Any, amara: Any) -> None:
    control.settings(twitter={"media_processing_seconds": 0})

    def gif(frames: int) -> bytes:
        picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x02\x02\x44\x01\0"
        return b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6) + picture * frames + b"\x3b"

    assert _post(amara, _uploaded(amara, gif(3), category="tweet_gif", kind="image/gif")).status_code == 201
    assert control.posts(amara)[0]["media"][0]["kind"] == "animated_gif"
    assert _invalid(_post(amara, _uploaded(amara, gif(351), category="tweet_gif", kind="image/gif"), text="Long"))


def test_processing_can_be_made_to_fail_or_take_long(control: Any, amara: Any, video: bytes) -> None:
    control.settings(twitter={"media_processing_seconds": 0})
    control.fault("twitter", "media_processing_failed", call="upload_finalize", account=amara.id)
    assert _processing(amara, _uploaded(amara, video))["state"] == "failed"
    control.fault("twitter", "media_processing_slow", call="*", params={"seconds": 500})
    slow = _uploaded(amara, video)
    assert _processing(amara, slow)["state"] == "pending"
    control.advance(501)
    assert _processing(amara, slow)["state"] == "succeeded"


def test_the_status_of_what_is_not_there(amara: Any, image: bytes) -> None:
    unfinished = _initialize(amara, image, "tweet_image", "image/png")
    for query in ({"media_id": "1"}, {"media_id": unfinished}, {}, {"command": "LIST", "media_id": "1"}):
        assert amara.http.get("/2/media/upload", params=query).status_code == 400


def test_the_same_text_with_other_media_is_another_post(control: Any, amara: Any, image: bytes) -> None:
    assert _post(amara, _image(amara, image)).status_code == 201
    assert _post(amara, _image(amara, image)).status_code == 403
    assert _post(amara, _image(amara, control.sample("image.png", shade=9))).status_code == 201


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"command": "INIT", "media_type": "image/png", "media_category": "tweet_image", "total_bytes": "many"}, 400),
        ({"command": "INIT", "media_type": "image/png", "media_category": "dm_image", "total_bytes": "10"}, 403),
        ({"command": "APPEND", "segment_index": "0"}, 400),
        ({"command": "FINALIZE", "media_id": "12345"}, 400),
    ],
)
def test_commands_that_are_wrong(amara: Any, fields: dict[str, str], status: int) -> None:
    assert amara.http.post("/2/media/upload", data=fields).status_code == status


def test_an_image_as_json(amara: Any, image: bytes) -> None:
    body = {"media": base64.b64encode(image).decode(), "media_category": "tweet_image"}
    answer = amara.http.post("/2/media/upload", json=body)
    assert answer.status_code == 200
    assert _post(amara, answer.json()["data"]["id"]).status_code == 201
    assert amara.http.post("/2/media/upload", json=body | {"media": "not Base64"}).status_code == 400
    assert amara.http.post("/2/media/upload", json=body | {"media_category": "dm_image"}).status_code == 400


def test_an_image_that_is_too_large(control: Any, amara: Any) -> None:
    content = control.sample("image.png", bytes=5 * 1024 * 1024 + 1)
    answer = amara.http.post("/2/media/upload", data={"media_category": "tweet_image"}, files={"media": content})
    assert answer.status_code == 413
