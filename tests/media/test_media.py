"""Media from the upload to the platforms, over HTTP and Kafka."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.media.corpus import SECRET, clip, exif, jpeg, png, video
from tests.media.processes import family

from contracts.content import PLATFORMS
from contracts.ids import new_id

pytestmark = pytest.mark.stack


def fetched(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=30)


def test_an_image_is_answered_complete(media: Any) -> None:
    data = jpeg(1200, 628, exif=exif())
    answer = media.send(
        data, "announcement.jpg", platform_hints='["twitter", "linkedin"]', alt_text="Product announcement graphic"
    )
    assert answer.status_code == 201
    found = answer.json()
    assert answer.headers["location"].endswith(f"/media/{found['media_id']}")
    assert (found["type"], found["status"]) == ("image", "ready")
    assert found["dimensions"] == {"width": 1200, "height": 628}
    assert found["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["alt_text"] == "Product announcement graphic"
    assert found["platform_hints"] == ["twitter", "linkedin"]
    assert found["filename"] == "announcement.jpg"
    assert set(found["platform_compatibility"]) == set(PLATFORMS)
    assert found["platform_compatibility"]["twitter"] == {"compatible": True, "optimized": True}
    assert found["platform_compatibility"]["youtube"]["compatible"] is False
    served = fetched(found["url"])
    assert served.headers["content-type"] == "image/jpeg"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "max-age=" in served.headers["cache-control"]
    assert SECRET not in served.content
    for name, side in (("small", 320), ("medium", 1080)):
        with Image.open(io.BytesIO(fetched(found["thumbnails"][name]).content)) as thumbnail:
            assert max(thumbnail.size) == side
    read = media.client.get(f"/media/{found['media_id']}")
    assert {**read, "url": 0, "thumbnails": 0} == {**found, "url": 0, "thumbnails": 0}


def test_ranges_and_conditions(media: Any) -> None:
    found = media.upload(png())
    whole = fetched(found["url"])
    part = fetched(found["url"], Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert fetched(found["url"], Range="bytes=-5").content == whole.content[-5:]
    assert fetched(found["url"], Range="bytes=10-").content == whole.content[10:]
    assert fetched(found["url"], Range=f"bytes={len(whole.content)}-").status_code == 416
    assert fetched(found["url"], **{"If-None-Match": whole.headers["etag"]}).status_code == 304
    head = httpx.head(found["url"], trust_env=False)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))


def test_an_address_that_was_changed_opens_nothing(media: Any) -> None:
    found, other = media.upload(png()), media.upload(png(32, 32))
    base, token, name = found["url"].rsplit("/", 2)
    their_name = other["url"].rsplit("/", 1)[1]
    for changed in (
        f"{base}/{token[:-2]}AA/{name}",
        f"{base}/{token}/{their_name}",
        f"{base}/{token}/..%2F..%2Fetc%2Fpasswd",
        f"{base}/AAAA/{name}",
        f"{base}/{token}x/{name}",
    ):
        assert fetched(changed).status_code == 404, changed


def test_a_video_is_looked_into(media: Any) -> None:
    found = media.upload(clip(), "clip.mp4")
    assert (found["type"], found["duration"], found["video_codec"]) == ("video", 4.0, "h264")
    assert found["dimensions"] == {"width": 320, "height": 180}
    served = fetched(found["url"])
    assert served.headers["content-type"] == "video/mp4"
    assert SECRET not in served.content
    assert fetched(found["thumbnails"]["small"]).headers["content-type"] == "image/jpeg"
    assert found["platform_compatibility"]["instagram"]["post_types"]["reel"]["compatible"]


def test_a_video_that_takes_longer_is_answered_with_202_and_can_be_watched(media: Any, stack: Any) -> None:
    decoders = family(stack.process("media").pid)[1]
    os.kill(decoders, signal.SIGSTOP)
    try:
        answer = media.send(clip(), "clip.mp4", alt_text="later")
        assert answer.status_code == 202, answer.text
        pending = answer.json()
        assert (pending["status"], answer.headers["retry-after"]) == ("processing", "1")
        assert answer.headers["location"] == pending["status_url"]
        seen = media.client.get(f"/media/{pending['media_id']}")
        assert (seen["status"], seen["progress"], seen["alt_text"], seen["url"]) == ("processing", 0.0, "later", None)
        listed = media.client.get("/media", status="processing")["media"]
        assert [each["media_id"] for each in listed] == [pending["media_id"]]
    finally:
        os.kill(decoders, signal.SIGCONT)
    ready = media.settled(pending["media_id"])
    assert (ready["status"], ready["progress"], ready["duration"]) == ("ready", None, 4.0)


def test_what_is_wrong_is_told_as_the_contract_says(media: Any) -> None:
    answer = media.send(b"%PDF-1.7\n", "a.png")
    assert (answer.status_code, answer.json()["code"]) == (400, "media_unsupported")
    error = answer.json()["errors"][0]
    assert error["actual"] == "application/pdf"
    assert "image/jpeg" in error["limit"]
    missing = media.client.request("POST", "/media/upload", files={"alt_text": (None, "x")})
    assert (missing.status_code, missing.json()["code"]) == (400, "invalid_content")
    unknown = media.send(png(), platform_hints="myspace")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid_content")
    no_form = media.client.request("POST", "/media/upload", {"file": "x"})
    assert (no_form.status_code, no_form.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "a\x00b.png",
        "/etc/passwd",
        "%2e%2e%2f",
        "\r\nX: y",
        "…/\u202egnp.exe",
    ],
)
def test_names_are_only_names(media: Any, stack: Any, name: str) -> None:
    found = media.upload(png(40, 40), name)
    assert "/" not in (found["filename"] or "")
    assert fetched(found["url"]).status_code == 200
    root = stack.settings.data / "objects"
    files = [str(each.relative_to(root)) for each in root.rglob("*") if each.is_file()]
    assert [
        each for each in files if not re.fullmatch(r"[0-9a-f]{32}/(incoming|media_\w+|upload_\w+)/[0-9a-f]{32}", each)
    ] == []


@pytest.mark.parametrize("media_id", ["..%2F..%2Fposts", "media_x", "%00", "a" * 300, "{$ne:1}"])
def test_ids_are_only_ids(client: Any, media_id: str) -> None:
    answer = client.request("GET", f"/media/{media_id}")
    assert answer.status_code in (404, 405), answer.text


def test_a_repeat_uploads_nothing_twice(media: Any) -> None:
    key, data = new_id("key"), png(70, 70)
    first, again = media.send(data, "a.png", key=key), media.send(data, "a.png", key=key)
    assert first.status_code == again.status_code == 201
    assert first.json()["media_id"] == again.json()["media_id"]
    assert again.headers["idempotency-replayed"] == "true"
    other = media.send(png(71, 71), "a.png", key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reuse")


def test_uploads_are_listed_newest_first(stranger: Any, media_of: Any) -> None:
    theirs = media_of(stranger)
    ids = [theirs.upload(png(20 + number, 20))["media_id"] for number in range(3)]
    ids.append(theirs.upload(clip())["media_id"])
    page = stranger.get("/media", limit=3)
    assert [each["media_id"] for each in page["media"]] == ids[:0:-1]
    rest = stranger.get("/media", limit=3, cursor=page["cursor"])
    assert ([each["media_id"] for each in rest["media"]], rest["cursor"]) == ([ids[0]], None)
    assert [each["media_id"] for each in stranger.get("/media", type="video")["media"]] == [ids[3]]


def test_what_is_anothers_is_not_there(media: Any, stranger: Any, twitter: Any) -> None:
    found = media.upload(png())
    path = f"/media/{found['media_id']}"
    stranger.refused(404, "media_not_found", "GET", path)
    stranger.refused(404, "media_not_found", "DELETE", path)
    stranger.refused(404, "media_not_found", "POST", f"{path}/variants", {"platform": "instagram"})
    draft = {
        "content": {"text": "x"},
        "media": [{"type": "image", "media_id": found["media_id"]}],
        "platforms": ["twitter"],
    }
    problem = stranger.refused(400, "invalid_content", "POST", "/posts", draft)
    assert problem["errors"][0]["rule"] == "media.unknown"
    assert stranger.get("/media")["media"] == []


def test_a_variant_is_made_and_then_fits(media: Any) -> None:
    found = media.upload(png(1080, 1920))
    compatibility = found["platform_compatibility"]["instagram"]
    assert compatibility["compatible"] is False
    assert compatibility["suggestion"] == "Crop to 4:5: 1080×1350 and convert to JPEG."
    made = media.client.request("POST", f"/media/{found['media_id']}/variants", {"platform": "instagram"})
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "ready"
    with Image.open(io.BytesIO(fetched(made.json()["url"]).content)) as image:
        assert (image.format, image.size) == ("JPEG", (1080, 1350))
    again = media.client.post(f"/media/{found['media_id']}/variants", {"platform": "instagram"}, status=201)
    assert again["variant_id"] == made.json()["variant_id"]
    after = media.client.get(f"/media/{found['media_id']}")["platform_compatibility"]["instagram"]
    assert (after["compatible"], after["variant_id"]) == (True, made.json()["variant_id"])
    client, path = media.client, f"/media/{found['media_id']}/variants"
    client.refused(409, "variant_unneeded", "POST", path, {"platform": "twitter"})
    client.refused(400, "variant_impossible", "POST", path, {"platform": "youtube"})
    client.refused(400, "invalid_content", "POST", path, {"platform": "instagram", "post_type": "carousel"})


def test_a_video_is_converted_with_progress(media: Any, eventually: Any) -> None:
    found = media.upload(video(kind="mov", codec="mpeg4", rate=12, width=640, height=360, seconds=10))
    path, told = f"/media/{found['media_id']}", set[float]()
    asking = threading.Thread(target=media.client.request, args=("POST", f"{path}/variants", {"platform": "tiktok"}))
    asking.start()

    def made() -> Any:
        for variant in media.client.get(path)["variants"]:
            assert variant["status"] != "failed", variant
            if variant["status"] == "ready":
                return variant
            told.add(variant["progress"])
        return None

    variant = eventually(made)
    asking.join()
    assert any(0 < fraction < 1 for fraction in told), told
    assert (variant["content_type"], variant["duration"], variant["progress"]) == ("video/mp4", 10.0, None)
    assert media.client.get(path)["platform_compatibility"]["tiktok"]["compatible"]


def test_an_upload_is_published(media: Any, client: Any, sandbox: Any, twitter: Any) -> None:
    found = media.upload(png(1200, 675))
    text = f"With a picture {new_id('n')}"
    body = {
        "content": {"text": text, "media": [{"type": "image", "media_id": found["media_id"], "alt_text": "stripes"}]},
        "platforms": [{"platform": "twitter", "account_id": twitter.id}],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    client.settled(post_id, "published")
    (live,) = [post for post in sandbox.live(twitter) if post["text"] == text]
    assert len(live["media"]) == 1, live


def test_the_fitting_variant_is_published_and_told(media: Any, client: Any, sandbox: Any, twitter: Any) -> None:
    """X takes no videos that are larger than 1280 by 1024."""
    found = media.upload(video(width=1920, height=1080, seconds=2, rate=10))
    item = {"type": "video", "media_id": found["media_id"]}
    text = f"Made to fit {new_id('n')}"
    body = {
        "content": {"text": text, "media": [item]},
        "platforms": [{"platform": "twitter", "account_id": twitter.id}],
    }
    problem = client.refused(400, "media_unsupported", "POST", "/publish", body)
    assert problem["errors"][0]["rule"] == "twitter.media.resolution"
    assert problem["errors"][0]["remediation"].startswith("Scale to 1280×720")
    path = f"/media/{found['media_id']}"
    client.request("POST", f"{path}/variants", {"platform": "twitter"})
    (variant,) = media.variants(path)
    post_id = client.post("/publish", body, status=201)["post_id"]
    client.settled(post_id, "published")
    history = client.get(f"/posts/{post_id}/history")["history"]
    told = [entry for entry in history if entry["type"] == "post.target_outcome_recorded.v1"]
    assert told[-1]["details"]["variants"] == {found["media_id"]: variant["variant_id"]}
    assert variant["variant_id"] in told[-1]["summary"]


def test_what_is_used_cannot_be_thrown_away(media: Any, client: Any, twitter: Any) -> None:
    found = media.upload(png(1200, 675))
    path = f"/media/{found['media_id']}"
    body = {
        "content": {"text": f"Later {new_id('n')}", "media": [{"type": "image", "media_id": found["media_id"]}]},
        "platforms": [{"platform": "twitter", "account_id": twitter.id}],
        "publish_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    problem = client.refused(409, "media_in_use", "DELETE", path)
    assert [error["actual"] for error in problem["errors"]] == [post_id]
    client.post(f"/posts/{post_id}/cancel")
    client.delete(path)
    client.refused(404, "media_not_found", "GET", path)
    client.refused(400, "invalid_content", "POST", "/publish", body)


def test_a_file_is_fetched_from_its_url(media: Any, client: Any, sandbox: Any) -> None:
    answer = client.request("POST", "/media/import", {"url": sandbox.media("image.png"), "alt_text": "stripes"})
    assert answer.status_code in (201, 202), answer.text
    found = media.settled(answer.json()["media_id"])
    assert (found["type"], found["alt_text"]) == ("image", "stripes")
    gone = client.request("POST", "/media/import", {"url": sandbox.media("nothing.png")})
    assert (gone.status_code, gone.json()["code"]) == (400, "media_unsupported")
    assert gone.json()["errors"][0]["rule"] == "media.url"


def test_events_are_in_the_log(media: Any, events: Any, client: Any) -> None:
    found = media.upload(png(50, 50))
    path = f"/media/{found['media_id']}"
    client.post(f"{path}/variants", {"platform": "instagram"}, status=201)
    client.delete(path)
    assert events(found["media_id"]) == [
        "media.uploaded.v1",
        "media.ready.v1",
        "media.variant_requested.v1",
        "media.variant_ready.v1",
        "media.deleted.v1",
    ]


@pytest.mark.parametrize("platform", ["instagram", "facebook", "tiktok", "linkedin"])
def test_platforms_get_uploads_their_own_way(
    platform: Any, media_of: Any, stranger: Any, sandbox: Any, connect: Any
) -> None:
    """Some fetch from a signed address, some are sent the bytes; the variant that fits is chosen for each."""
    client = stranger
    found = media_of(client).upload(png(1080, 1080))
    path = f"/media/{found['media_id']}"
    needs_variant = not found["platform_compatibility"][platform]["compatible"]
    if needs_variant:
        client.post(f"{path}/variants", {"platform": platform}, status=201)
    account = connect(client.tenant, platform, username=f"pictures.{new_id('n')[-8:].lower()}")
    options = {"privacy_level": "public_to_everyone"} if platform == "tiktok" else {}
    item = {"type": "image", "media_id": found["media_id"]}
    body = {
        "content": {"text": f"A picture {new_id('n')}", "media": [item]},
        "platforms": [{"platform": platform, "account_id": account.id, "options": options}],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    after = client.settled(post_id, "published", "failed", seconds=120)
    assert after["status"] == "published", after
    assert len(sandbox.live(account)) == 1
    told = [
        entry
        for entry in client.get(f"/posts/{post_id}/history")["history"]
        if entry["type"] == "post.target_outcome_recorded.v1"
    ]
    assert bool(told[-1]["details"].get("variants")) == needs_variant
