"""Green Button XML (ESPI): feeds as PG&E writes them, directions, sources, bad and hostile files, and back again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import local_of
from common.errors import UserError
from common.readings import HomeFacts, Readings, validate_readings
from datagen.gaps import gaps_of
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.greenbutton_xml import detect, load
from datagen.importers.greenbutton_xml_export import save, text_of
from datagen.importers.net_meter import register_of

MIDNIGHT = 1_748_761_200  # 2025-06-01 00:00 PDT
NOVEMBER = 1_762_074_000  # 2025-11-02 09:00 UTC, when clocks go back
SECRETS = ("JANEDOE", "1600 AMPHITHEATRE", "5551234567", "BERKELEYX")


def _entry(href: str, content: str, related: tuple[str, ...] = ()) -> str:
    links = "".join(f'<ns1:link rel="related" href="{other}"/>' for other in related)
    return (
        f"<ns1:entry><ns1:title>JANEDOE, 1600 AMPHITHEATRE BERKELEYX</ns1:title>"
        f'<ns1:link rel="self" href="{href}"/>{links}<ns1:content>{content}</ns1:content></ns1:entry>\n'
    )


def _type(href: str, flow: int | str = 1, uom: int | str = 72, power: int | str = 0, commodity: int = 1) -> str:
    return _entry(
        href,
        f"<ns0:ReadingType><ns0:commodity>{commodity}</ns0:commodity><ns0:flowDirection>{flow}</ns0:flowDirection>"
        f"<ns0:intervalLength>3600</ns0:intervalLength><ns0:powerOfTenMultiplier>{power}</ns0:powerOfTenMultiplier>"
        f"<ns0:uom>{uom}</ns0:uom></ns0:ReadingType>",
    )


def _block(href: str, values, start: int = MIDNIGHT, length: int = 3600, quality: str = "") -> str:
    rows = enumerate(values) if not isinstance(values, dict) else ((k, v) for k, v in values.items())
    readings = "".join(
        f"<ns0:IntervalReading>{quality}<ns0:timePeriod><ns0:duration>{length}</ns0:duration><ns0:start>"
        f"{start + k * length}</ns0:start></ns0:timePeriod><ns0:value>{v}</ns0:value></ns0:IntervalReading>\n"
        for k, v in rows
    )
    return _entry(href, f"<ns0:IntervalBlock>\n{readings}</ns0:IntervalBlock>")


def _point(n: int = 1, kind: int = 0) -> str:
    return _entry(
        f"/UsagePoint/{n}",
        f"<ns0:UsagePoint><ns0:ServiceCategory><ns0:kind>{kind}</ns0:kind></ns0:ServiceCategory></ns0:UsagePoint>",
        (f"/UsagePoint/{n}/MeterReading",),
    )


def _reading(m: str, kind: str, point: int = 1) -> str:
    return _entry(f"/UsagePoint/{point}/MeterReading/{m}", "<ns0:MeterReading/>", (kind,))


def _feed(*entries: str) -> str:
    return (
        '<?xml version="1.0"?>\n<ns1:feed xmlns:ns0="http://naesb.org/espi" xmlns:ns1="http://www.w3.org/2005/Atom">\n'
        f"<ns1:title>account 5551234567</ns1:title>\n{''.join(entries)}</ns1:feed>\n"
    )


def _home(values=(500, 250), received=None, point: int = 1, start: int = MIDNIGHT) -> str:
    at = f"/UsagePoint/{point}/MeterReading"
    text = _point(point) + _reading("a", "/Type/1", point) + _block(f"{at}/a/IntervalBlock/1", values, start)
    if received is not None:
        text += _reading("b", "/Type/19", point) + _block(f"{at}/b/IntervalBlock/1", received, start)
    return text


TYPES = _type("/Type/1") + _type("/Type/19", 19)


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return str(path)


def _one(path) -> tuple[HomeFacts, Readings, list[str]]:
    imported = load(str(path))
    ((facts, readings),) = imported.homes
    validate_readings(readings, "loaded")
    return facts, readings, imported.warnings


def test_delivered_and_received(tmp_path):
    path = _write(tmp_path / "a.xml", _feed(TYPES, _home((500, 0, 301), (0, 1240, 7))))
    assert detect(path) and importer_for(path) is IMPORTERS["greenbutton-xml"]
    facts, readings, warnings = _one(path)
    assert (facts.home_id, facts.source, facts.resolution_slots) == ("house-1", "greenbutton-xml", 2)
    assert facts.pv_kw == 1.3
    assert local_of(readings.first_slot).isoformat() == "2025-06-01T00:00:00-07:00"
    assert readings.load_wh.tolist() == [250, 250, 0, 0, 151, 150]
    assert readings.pv_wh.tolist() == [0, 0, 620, 620, 4, 3]
    assert any("house-1: the meter shows import and export only" in warning for warning in warnings)
    assert any("house-1: panels of 1.3 kW assumed" in warning for warning in warnings)


def test_the_portal_of_2012(tmp_path):
    """Opower's shape: default namespaces, blocks out of order, no direction, values in Wh; three hours early."""
    readings = "".join(
        f"<IntervalReading><cost>7528</cost><timePeriod><duration>3600</duration>"
        f"<start>{1_299_474_000 + 3600 * h}</start></timePeriod><value>{h}</value></IntervalReading>"
        for h in [*range(12, 24), *range(12)]
    )
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="http://www.greenbuttondata.org/ESPIRender_xslt1.xslt"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<entry><link href="/v1/User/1/UsagePoint/3" rel="self"></link>
<link href="/v1/User/1/UsagePoint/3/MeterReading/1" rel="related"></link>
<title type="text">1600 AMPHITHEATRE</title><content type="xml"><UsagePoint xmlns="http://naesb.org/espi">
<ServiceCategory><kind>0</kind></ServiceCategory></UsagePoint></content></entry>
<entry><link href="/v1/User/1/UsagePoint/3/MeterReading/1" rel="self"></link>
<link href="/v1/ReadingType/1" rel="related"></link><content type="xml">
<MeterReading xmlns="http://naesb.org/espi"></MeterReading></content></entry>
<entry><link href="/v1/ReadingType/1" rel="self"></link><content type="xml"><ReadingType xmlns="http://naesb.org/espi">
<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry>
<entry><link href="/v1/User/1/UsagePoint/3/MeterReading/1/IntervalBlock/1" rel="self"></link><content type="xml">
<IntervalBlock xmlns="http://naesb.org/espi">{readings}</IntervalBlock></content></entry></feed>"""
    _, found, warnings = _one(_write(tmp_path / "a.xml", text))
    assert found.load_wh.reshape(-1, 2).sum(axis=1).tolist() == list(range(24))
    assert local_of(found.first_slot).isoformat() == "2011-03-06T21:00:00-08:00"  # as the file says
    assert any("begin and end at midnight Eastern time, not local time" in warning for warning in warnings)


def test_multipliers_net_readings_and_qualities(tmp_path):
    quality = "<ns0:ReadingQuality><ns0:quality>8</ns0:quality></ns0:ReadingQuality>"
    text = _feed(
        _type("/Type/4", 4, power=-3),
        _point(),
        _reading("a", "/Type/4"),
        _block("/UsagePoint/1/MeterReading/a/IntervalBlock/1", [250_000, -125_400], length=1800, quality=quality),
    )
    facts, readings, warnings = _one(_write(tmp_path / "a.xml", text))
    assert readings.load_wh.tolist() == [250, 0] and readings.pv_wh.tolist() == [0, 125]
    assert facts.resolution_slots == 1 and any("2 of quality 8" in warning for warning in warnings)


def test_usage_points_are_homes_and_gas_is_not(tmp_path):
    gas = (
        _point(3, kind=1)
        + _type("/Type/7", uom=169, commodity=7, power=-8)
        + _reading("g", "/Type/7", 3)
        + _block("/UsagePoint/3/MeterReading/g/IntervalBlock/1", [1], length=86_400)
    )
    power = (
        _type("/Type/38", uom=38)
        + _reading("w", "/Type/38", 2)
        + _block("/UsagePoint/2/MeterReading/w/IntervalBlock/1", [1, 2])
    )
    imported = load(_write(tmp_path / "a.xml", _feed(TYPES, _home(point=1), gas, _home((7, 9), point=2), power)))
    assert [facts.home_id for facts, _ in imported.homes] == ["house-1", "house-2"]
    assert [int(readings.load_wh.sum()) for _, readings in imported.homes] == [750, 16]
    assert "1 x meter readings of gas or another service passed over" in imported.warnings
    assert "1 x meter readings in unit 38 (uom; 72 is Wh) passed over" in imported.warnings
    with pytest.raises(
        UserError, match=r"only 1 x meter readings of gas .* expected electric readings in Wh \(uom 72\)"
    ):
        load(_write(tmp_path / "gas.xml", _feed(gas)))


def test_one_direction_missing_is_a_gap(tmp_path):
    _, readings, warnings = _one(_write(tmp_path / "a.xml", _feed(TYPES, _home((1, 2, 3), {0: 5, 2: 6}))))
    assert readings.metered.tolist() == [True, True, False, False, True, True]
    assert any("1 intervals have a reading in one direction only; taken as gaps" in w for w in warnings)


def test_a_time_that_pge_repeats_when_clocks_go_back(tmp_path):
    before, at = NOVEMBER - 7200, NOVEMBER - 3600
    blocks = [_block(f"/UsagePoint/1/MeterReading/a/IntervalBlock/{k}", [v], t) for k, (t, v) in enumerate(
        [(before, 10), (at, 20), (at, 30), (NOVEMBER + 3600, 40)])]  # fmt: skip
    text = _feed(TYPES, _point(), _reading("a", "/Type/1"), *blocks)
    _, readings, warnings = _one(_write(tmp_path / "a.xml", text))
    assert readings.metered is None and readings.load_wh.tolist() == [5, 5, 10, 10, 15, 15, 20, 20]
    assert any("1 readings repeat the time of another when clocks go back" in warning for warning in warnings)
    with pytest.raises(UserError, match=r"overlaps the interval of line \d+ with another reading"):
        load(_write(tmp_path / "b.xml", text.replace(str(at), str(MIDNIGHT))))


def test_clocks_that_a_file_names(tmp_path):
    clock = _entry("/L/1", "<ns0:LocalTimeParameters><ns0:tzOffset>{}</ns0:tzOffset></ns0:LocalTimeParameters>")
    for offset, warned in ((-28_800, False), (-18_000, True)):
        _, _, warnings = _one(_write(tmp_path / "a.xml", _feed(clock.format(offset), TYPES, _home())))
        assert any("names a clock of UTC-5 h" in warning for warning in warnings) == warned


def test_periods_in_a_sub_folder_and_archives(tmp_path):
    day = 86_400
    _write(tmp_path / "all" / "ours" / "1.xml", _feed(TYPES, _home([1] * 24)))
    _write(tmp_path / "all" / "ours" / "2.xml", _feed(TYPES, _home([1] * 24, start=MIDNIGHT + day // 2)))
    _write(tmp_path / "all" / "theirs.xml", _feed(TYPES, _home([2] * 24)))
    imported = load(str(tmp_path / "all"))
    assert [len(readings) for _, readings in imported.homes] == [72, 48]
    assert any("house-1: 12 rows stand twice with the same reading" in warning for warning in imported.warnings)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "all").rglob("*.xml"):
            archive.write(path, path.relative_to(tmp_path / "all").as_posix())
    assert detect(str(tmp_path / "a.zip"))
    zipped = load(str(tmp_path / "a.zip"))
    assert [int(r.load_wh.sum()) for _, r in zipped.homes] == [int(r.load_wh.sum()) for _, r in imported.homes]
    _write(tmp_path / "all" / "ours" / "3.xml", _feed(TYPES, _home([9])))
    with pytest.raises(UserError, match=r"3\.xml, line \d+: overlaps the interval of .*1\.xml, line \d+ with another"):
        load(str(tmp_path / "all"))
    _write(tmp_path / "all" / "ours" / "3.xml", _feed(TYPES, _home([1]), _home([1], point=2)))
    with pytest.raises(UserError, match=r"3\.xml: 2 electric usage points; expected one in each file of a sub-folder"):
        load(str(tmp_path / "all"))


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><feed>&b;</feed>'
FILE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><feed>&a;</feed>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE feed SYSTEM "http://127.0.0.1:9/x.dtd"><feed/>'
BAD = {
    "empty": (" \n", ": empty; expected a Green Button (ESPI) feed as downloaded"),
    "no xml": ("Name,JANEDOE", ", line 1, column 1: not whole XML; download the file again"),
    "web page": ("<html><body>Log in<br></body></html>", ", line 1, column 25: not whole XML; download the file again"),
    "other xml": (
        "<svg><g>JANEDOE</g></svg>",
        ": XML of another kind; expected a Green Button (ESPI) feed as download",
    ),
    "truncated": (_feed(TYPES, _home())[:-400], ", line 8, column "),
    "bomb": (BOMB, ": declares a document type or entities, which may hide an attack; expected"),
    "external entity": (FILE, ": declares a document type or entities, which may hide an attack; expected"),
    "external type": (OUTSIDE, ": declares a document type or entities, which may hide an attack; expected"),
    "text": (_feed(TYPES, _home(["x"])), ", line 9, value: 'x' is not a number"),
    "nan": (_feed(TYPES, _home(["NaN"])), ", line 9, value: 'NaN' is not a number"),
    "inf": (_feed(TYPES, _home(["inf"])), ", line 9, value: 'inf' is not a number"),
    "long": (_feed(TYPES, _home(["9" * 40])), ", line 9, value: the text is not a number"),
    "start": (_feed(TYPES, _home()).replace(f">{MIDNIGHT}<", ">1.5<"), ", line 9, start: '1.5' is not a whole number"),
    "no start": (
        _feed(TYPES, _home()).replace(f"<ns0:start>{MIDNIGHT}</ns0:start>", ""),
        ", line 9: an IntervalReading without a start; expected",
    ),
    "negative": (
        _feed(TYPES, _home([-5])),
        ", line 9, value: -5 is negative; expected 0 or more, since its flow direct",
    ),
    "huge": (_feed(TYPES, _home([10**6])), ", line 9: load_wh of 1e+06 Wh in 60 minutes; expected 0 to 100000"),
    "power": (_feed(_type("/Type/1", power=99), _home()), ", line 4, powerOfTenMultiplier: a power of ten beyond 12;"),
    "grid": (
        _feed(TYPES, _home(start=MIDNIGHT + 1800)),
        ", line 9: an interval of 60 minutes that begins 30 minutes l",
    ),
    "year": (_feed(TYPES, _home(start=10**14)), ", line 9: begins 100000000000000 seconds after 1970; expected a time"),
    "twice": (
        _feed(TYPES, _home() + _block("/UsagePoint/1/MeterReading/a/2", [9])),
        ", line 13: overlaps the interval",
    ),
    "no type": (_feed(_home()), ", line 6: an IntervalBlock without a ReadingType; expected links from a MeterReading"),
    "no blocks": (_feed(TYPES, _point()), ": no readings; expected electric readings in Wh (uom 72)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, message = BAD[name]
    path = _write(tmp_path / "a.xml", text)
    with pytest.raises(UserError) as caught:
        load(path)
    shown = str(caught.value)
    assert shown.startswith(path + message) and "\n" not in shown
    assert not [secret for secret in SECRETS if secret in shown]


@st.composite
def homes(draw) -> tuple[HomeFacts, Readings]:
    """A home over one of the changes of clock or at a random time, with random gaps, metered at both ends."""
    slots = draw(st.sampled_from([1, 2]))
    centre = draw(st.sampled_from([1_710_064_800, 1_730_624_400]) | st.integers(1_500_000_000, 1_800_000_000)) // 1800
    first = (centre - draw(st.integers(0, 60))) // slots * slots
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wh = rng.integers(0, 50_000 * slots + 1, (2, n)) * (rng.random((2, n)) < draw(st.sampled_from([0.0, 0.5, 1.0])))
    if draw(st.booleans()):
        wh[1] = 0
    known = rng.random(n) < draw(st.sampled_from([0.3, 0.9, 1.0]))
    known[[0, -1]] = True
    wh[:, ~known] = 0
    load_wh, pv_wh = (np.stack([v - v // 2, v // 2], axis=1).ravel() if slots == 2 else v for v in wh)
    known = np.repeat(known, slots)
    facts = HomeFacts(home_id="house-1", resolution_slots=slots, source="greenbutton-xml")
    return facts, Readings(first, load_wh, pv_wh, metered=None if known.all() else known)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("xml")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(home=homes(), random=st.randoms(use_true_random=False))
def test_round_trip_in_any_order_of_entries(folder, home, random):
    facts, wanted = home
    head, *entries = text_of(register_of(home)).removesuffix("</feed>\n").split("<entry>")
    random.shuffle(entries)
    text = head + "".join("<entry>" + entry for entry in entries) + "</feed>\n"
    found_facts, found, _ = _one(_write(folder / "a.xml", text))
    assert found_facts.resolution_slots == facts.resolution_slots
    assert (found_facts.pv_kw > 0) == bool(wanted.pv_wh.any())
    assert found.first_slot == wanted.first_slot and gaps_of(found) == gaps_of(wanted)
    assert found.load_wh.tolist() == wanted.load_wh.tolist()
    assert found.pv_wh.tolist() == wanted.pv_wh.tolist()


def test_saved_homes(tmp_path):
    gross = Readings(960_000, np.array([500, 300, 0, 40]), np.array([200, 450, 70, 40]))
    save([(HomeFacts(home_id="b", pv_kw=3, source="citylearn:x"), gross)], tmp_path / "out")
    assert (tmp_path / "out" / "b.xml").stat().st_mode & 0o777 == 0o600
    _, readings, _ = _one(tmp_path / "out")
    assert (readings.load_wh - readings.pv_wh).tolist() == [300, -150, -70, 0]


VALID = _feed(TYPES, _home((500, 0, 301), (0, 1240, 7))).encode()


@st.composite
def mutations(draw) -> bytes:
    data = VALID
    piece = st.sampled_from(
        [
            b"",
            b"<",
            b"-",
            b"nan",
            b"&a;",
            b"\0",
            b"9" * 15,
            b"1e9",
            b"\xff",
            b"</ns1:entry>",
            b"<ns0:UsagePoint>",
            b"72",
        ]
    )
    for _ in range(draw(st.integers(1, 3))):
        a = draw(st.integers(0, len(data)))
        data = data[:a] + draw(piece | st.binary(max_size=3)) + data[a + draw(st.integers(0, 12)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@st.composite
def other_numbers(draw) -> bytes:
    """A well-formed feed whose numbers are others."""
    number = st.integers(-(10**16), 10**16).map(str) | st.sampled_from(
        ["", "0", "1", "-1", "72", "19", "1.5", "900", "3600"]
    )
    pieces = VALID.decode().split(">")
    for _ in range(draw(st.integers(1, 4))):
        k = draw(st.sampled_from([i for i, piece in enumerate(pieces) if piece.partition("<")[0].strip().isdigit()]))
        pieces[k] = draw(number) + "<" + pieces[k].partition("<")[2]
        if not pieces[k].partition("<")[0].isdigit():
            break
    return ">".join(pieces).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=mutations() | other_numbers() | st.binary(max_size=200))
def test_any_bytes_give_a_user_error_or_sound_homes(folder, data):
    path = folder / "fuzz.xml"
    path.write_bytes(data)
    detect(str(path))
    try:
        imported = load(str(path))
    except UserError as error:
        texts = [str(error)]
        assert "\n" not in texts[0]
    else:
        for _, readings in imported.homes:
            validate_readings(readings, "fuzz")
        texts = [*imported.warnings, *(facts.model_dump_json() for facts, _ in imported.homes)]
    assert not [secret for secret in SECRETS for text in texts if secret in text]


@pytest.mark.parametrize("encoding", ["foo", "utf-7", "shift_jis", "utf-16"])
def test_strange_encodings(tmp_path, encoding):
    path = tmp_path / "a.xml"
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><feed/>'.encode())
    with pytest.raises(UserError, match=r"a\.xml"):
        load(str(path))
