"""A publication becomes an FLV file for every reader, in bounded memory."""

import io
import tracemalloc

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.rtmp_server import amf0, flv
from sdstream.sources.rtmp_server.chunks import AUDIO, DATA, VIDEO
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.publication import GRACE, NO_PICTURE, Publication
from tests.sources.media import flv_tags, make

AVC_HEADER = Media(VIDEO, 0, b"\x17\0\0\0\0avcC")
AAC_HEADER = Media(AUDIO, 0, b"\xaf\0\x11\x90")
BOTH, PICTURE, SOUND = flv.HAS_AUDIO | flv.HAS_VIDEO, flv.HAS_VIDEO, flv.HAS_AUDIO


def key(stamp=0):
    return Media(VIDEO, stamp, b"\x17\1\0\0\0key")


def delta(stamp=0):
    return Media(VIDEO, stamp, b"\x27\1\0\0\0delta")


def sound(stamp=0):
    return Media(AUDIO, stamp, b"\xaf\1sound")


def about(**facts):
    return Media(DATA, 0, amf0.encode("@setDataFrame", "onMetaData", facts))


def feed(publication, *media, now=0.0, wanted=True):
    return b"".join(publication.feed(part, now, wanted=wanted) for part in media)


def tags(*media):
    return b"".join(flv.tag(part) for part in media)


def test_a_file_starts_with_its_headers_and_a_key_frame():
    publication = Publication()
    announced = about(videocodecid=7.0, audiocodecid=10.0)
    assert feed(publication, announced, AVC_HEADER, AAC_HEADER, sound(), delta()) == b""
    started = feed(publication, key(40), sound(50), delta(80))
    assert started == flv.header(BOTH) + tags(
        Media(VIDEO, 40, AVC_HEADER.payload), Media(AUDIO, 40, AAC_HEADER.payload), key(40), sound(50), delta(80)
    )


def test_a_file_without_sound_promises_none_and_starts_at_once():
    publication = Publication()
    started = feed(publication, about(videocodecid=7.0), AVC_HEADER, key())
    assert started[:9] == flv.header(PICTURE)[:9]
    assert started.endswith(tags(key()))


@pytest.mark.parametrize("announced", [[], [about(videocodecid=7.0, audiocodecid=10.0)], [about(encoder="x")]])
def test_a_track_that_does_not_come_is_not_waited_for_long(announced):
    publication = Publication()
    first = feed(publication, *announced, AVC_HEADER, key(), now=0.0)
    later = feed(publication, delta(), now=GRACE + 0.01)
    started = first or later
    assert started[:9] == flv.header(PICTURE)[:9]


def test_late_sound_joins_the_file_that_is_being_read():
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, key())
    assert feed(publication, AAC_HEADER, sound(40)) == tags(AAC_HEADER, sound(40))
    assert not publication.outgrown()


@pytest.mark.parametrize("payload", [b"\x2f\xff\xfbmp3", b"\x91Opussound"])
def test_late_sound_that_is_not_aac_needs_a_new_file(payload):
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, key(), Media(AUDIO, 40, payload))
    assert publication.outgrown()
    publication.restart()
    assert feed(publication, key(99), Media(AUDIO, 99, payload))[:9] == flv.header(BOTH)[:9]


def test_sound_alone_becomes_a_file_after_a_while_so_that_its_reader_can_complain():
    publication = Publication()
    assert feed(publication, about(audiocodecid=10.0), AAC_HEADER, sound(), now=0.0) == b""
    assert feed(publication, sound(), now=NO_PICTURE + 0.01)[:9] == flv.header(SOUND)[:9]


def test_a_reader_that_comes_late_gets_the_newest_key_frame_and_what_followed():
    publication = Publication()
    announced = about(videocodecid=7.0)
    feed(publication, announced, AVC_HEADER, key(0), delta(40), key(80), delta(120), wanted=False)
    publication.restart()
    started = feed(publication, delta(160))
    assert started.endswith(tags(key(80), delta(120), delta(160)))


def test_a_slow_reader_is_spared_everything_until_the_next_key_frame_with_room():
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, key())
    behind = (delta(1), key(2), AVC_HEADER, delta(3))
    assert [publication.feed(media, 0.0, wanted=True, room=False) for media in behind] == [b""] * 4
    assert feed(publication, delta(4), AVC_HEADER) == b""
    assert publication.skipped == 4
    assert feed(publication, key(5)) == tags(AVC_HEADER, key(5))
    assert feed(publication, delta(6)) == tags(delta(6))


def test_a_slow_reader_of_sound_goes_on_as_soon_as_there_is_room():
    publication = Publication()
    feed(publication, about(audiocodecid=10.0), AAC_HEADER, sound())
    assert feed(publication, sound(), now=NO_PICTURE + 0.01).startswith(b"FLV")
    assert publication.feed(sound(1), 4.0, wanted=True, room=False) == b""
    assert feed(publication, sound(2)) == tags(AAC_HEADER, sound(2))


def test_the_next_reader_need_not_wait_for_another_key_frame():
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, key(0), delta(40), key(80), delta(120))
    publication.restart()
    assert feed(publication, delta(160)).endswith(tags(key(80), delta(120), delta(160)))


def test_a_sound_of_many_seconds_is_left_out():
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, key())
    assert feed(publication, Media(AUDIO, 0, b"\x36" + bytes(300_000))) == b""
    assert not publication.outgrown()


MEGABYTE = bytes(1 << 20)
FLOODS = {
    "pictures": (key(), VIDEO, b"\x27\1\0\0\0" + MEGABYTE, 60),
    "key frames": (key(), VIDEO, b"\x17\1\0\0\0" + MEGABYTE, 60),
    "headers": (key(), VIDEO, b"\x17\0\0\0\0" + MEGABYTE, 60),
    "sounds of a byte": (key(), AUDIO, b"\xaf", 60_000),
    "sounds of a byte alone": (AAC_HEADER, AUDIO, b"\xaf", 60_000),
    "pictures of a byte": (key(), VIDEO, b"\x27", 60_000),
}


@pytest.mark.parametrize("wanted", [False, True], ids=["no reader", "slow reader"])
@pytest.mark.parametrize(("first", "kind", "payload", "count"), FLOODS.values(), ids=FLOODS)
def test_memory_is_bounded_whatever_the_publisher_sends(first, kind, payload, count, wanted):
    publication = Publication()
    feed(publication, about(videocodecid=7.0), AVC_HEADER, first, wanted=wanted)
    tracemalloc.start()
    flood = (Media(kind, stamp, bytes(bytearray(payload))) for stamp in range(count))
    made = sum(len(publication.feed(media, 9.0, wanted=wanted, room=False)) for media in flood)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made <= 10 << 20
    assert peak <= 24 << 20


@pytest.mark.parametrize(
    ("media", "is_key", "is_header"),
    [
        (AVC_HEADER, False, True),
        (key(), True, False),
        (delta(), False, False),
        (AAC_HEADER, False, True),
        (sound(), False, False),
        (Media(VIDEO, 0, b"\x90hvc1config"), False, True),
        (Media(VIDEO, 0, b"\x91hvc1\0\0\0data"), True, False),
        (Media(VIDEO, 0, b"\x93av01data"), True, False),
        (Media(VIDEO, 0, b"\xa1hvc1\0\0\0data"), False, False),
        (Media(AUDIO, 0, b"\x90Opusconfig"), False, True),
        (Media(AUDIO, 0, b"\x91Opusdata"), False, False),
        (Media(VIDEO, 0, b"\x12sorenson"), True, False),
        (Media(VIDEO, 0, b"\x17"), False, False),
        (Media(DATA, 0, b"\x17\0"), False, False),
    ],
)
def test_key_frames_and_headers_are_known_in_old_and_in_enhanced_rtmp(media, is_key, is_header):
    assert (flv.is_key_frame(media), flv.is_sequence_header(media)) == (is_key, is_header)


@given(
    st.lists(st.builds(Media, st.sampled_from([AUDIO, VIDEO, DATA]), st.integers(0, 2**32 - 1), st.binary(max_size=40)))
)
def test_any_media_makes_a_file_or_no_file(media):
    assert feed(Publication(), *media)[:3] in {b"", b"FLV"}


NAMED = amf0.encode("@setDataFrame", "onMetaData")
UNREADABLE = {
    "json": b'{"gps": [1, 2]}',
    "amf3 in an object": NAMED + b"\3\0\1a\x11\6\7abc\0\0\x09",
    "amf3 alone": NAMED + b"\x11\x0a\x0b\1\7foo\6\7bar\1",
    "a reference": NAMED + b"\3\0\4self\7\0\0\0\0\x09",
    "deep nesting": NAMED + b"\3\0\1a" * 500,
    "too many fields": NAMED + amf0.encode({f"k{number}": 1.0 for number in range(5000)}),
    "cut": amf0.encode("@setDataFrame", "onMetaData", {"videocodecid": 7.0})[:-4],
    "nothing": b"",
}


@pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_data_changes_nothing(payload):
    publication, odd = Publication(), Media(DATA, 0, payload)
    started = feed(publication, odd, about(videocodecid=7.0), odd, AVC_HEADER, key(), odd, delta())
    assert started[:9] == flv.header(PICTURE)[:9]
    assert started.endswith(tags(key(), delta()))


@given(st.integers(0, 2**32 - 1))
def test_a_tag_keeps_all_32_bits_of_its_time(stamp):
    data = flv.tag(sound(stamp))
    assert int.from_bytes(data[4:7], "big") | data[7] << 24 == stamp
    assert int.from_bytes(data[-4:], "big") == len(data) - 4


@pytest.mark.parametrize("first", [True, False], ids=["default track first", "default track last"])
def test_messages_of_further_tracks_are_left_out(first):
    others = [
        Media(VIDEO, 0, b"\x96\0avc1\1small"),
        Media(VIDEO, 0, b"\x96\1avc1\1\0\0\0small"),
        Media(AUDIO, 0, b"\x95\0mp4a\1second"),
        Media(AUDIO, 0, b"\x95\1mp4a\1second"),
    ]
    default = [AVC_HEADER, AAC_HEADER, sound(), key()]
    pairs = zip(default, others, strict=True)
    media = [part for pair in pairs for part in (pair if first else reversed(pair))]
    publication = Publication()
    started = feed(publication, *media, delta(40))
    assert started == flv.header(BOTH) + tags(AVC_HEADER, AAC_HEADER, key(), delta(40))
    assert publication.other_tracks == 4


def test_each_kind_may_have_a_track_of_its_own():
    publication = Publication(audio_track=1)
    vod = [Media(AUDIO, 0, b"\x95\0mp4a\1config"), Media(AUDIO, 0, b"\x95\1mp4a\1vod")]
    started = feed(publication, AVC_HEADER, AAC_HEADER, vod[0], key(), sound(), vod[1])
    config, heard = Media(AUDIO, 0, b"\x90mp4aconfig"), Media(AUDIO, 0, b"\x91mp4avod")
    assert started == flv.header(BOTH) + tags(AVC_HEADER, config, key(), heard)


@pytest.mark.parametrize("mixed", [False, True], ids=["multitrack alone", "beside plain messages"])
def test_ffmpeg_reads_the_default_track_of_several(tmp_path, mixed):
    """The second track has another size; the first is in messages of both tracks."""
    first = flv_tags(make(tmp_path / "a.flv", sounds=()).read_bytes())
    second = flv_tags(make(tmp_path / "b.flv", sounds=(), size=(64, 64)).read_bytes())
    publication, made = Publication(), b""
    for (kind, stamp, big), (_, _, small) in zip(first, second, strict=True):
        if kind == VIDEO and big[1] < 2:  # 2 is the end of the sequence
            head, bodies = bytes([0x86 | big[0] & 0x70]), [body[5 if body[1] == 0 else 2 :] for body in (big, small)]
            sized = [bytes([place]) + len(body).to_bytes(3, "big") + body for place, body in enumerate(bodies)]
            both = head + bytes([0x10 | big[1]]) + b"avc1" + b"".join(reversed(sized))
            payloads = [big, head + bytes([big[1]]) + b"avc1\1" + bodies[1]] if mixed else [both]
            made += feed(publication, *(Media(kind, stamp, payload) for payload in payloads))
        elif kind == DATA:
            made += feed(publication, Media(kind, stamp, big))
    with av.open(io.BytesIO(made), format="flv") as container:
        (track,) = container.streams.video
        assert (track.width, track.height) == (128, 96)
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_ffmpeg_hears_the_chosen_track(tmp_path):
    """The second track is the first without the 80 ms at the begin."""
    publication, made = Publication(audio_track=1), b""
    for kind, stamp, payload in flv_tags(make(tmp_path / "a.flv").read_bytes()):
        made += feed(publication, Media(kind, stamp, payload))
        if kind == AUDIO and (payload[1] == 0 or stamp > 80):
            made += feed(publication, Media(kind, stamp, bytes([0x95, payload[1]]) + b"mp4a\1" + payload[2:]))
    with av.open(io.BytesIO(made), format="flv") as container:
        (track,) = container.streams.audio
        assert (track.codec_context.name, track.rate) == ("aac", 48_000)
        first = next(container.decode(audio=0))
    assert first.time > 0.08


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ffmpeg_reads_what_is_written(tmp_path, codec):
    whole = make(tmp_path / "a.flv", codec=codec).read_bytes()
    publication = Publication()
    made = b"".join(feed(publication, Media(*tag)) for tag in flv_tags(whole))
    with av.open(io.BytesIO(made), format="flv") as container:
        assert [track.type for track in container.streams] in (["video", "audio"], ["audio", "video"])
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_a_file_says_how_many_of_its_bytes_came_long_before():
    publication = Publication()
    feed(publication, AVC_HEADER, AAC_HEADER, key(), sound(1), wanted=False)
    started = feed(publication, delta(80))
    assert started[publication.old :] == tags(delta(80))
    feed(publication, delta(120))
    assert publication.old is None
