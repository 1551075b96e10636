from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from autorke.integrations.cmdb import CmdbConfig, CmdbMachine, RefusedRow, fetch_pages
from autorke.integrations.cmdb.errors import CmdbError, CmdbMalformed, CmdbTooLarge, CmdbUnreachable

FIELDS = {
    "cmdb_id": {"path": "sn"},
    "sn": {"path": "sn"},
    "hostname": {"path": "host"},
    "address": {"path": "ip"},
    "owner": {"path": "owner", "default": "nobody"},
}
CSV = "sn,host,ip,owner\nA1,bm-1,10.0.0.1,张三\nA2,bm-2,10.0.0.2,\n"


def _config(**source: Any) -> CmdbConfig:
    return CmdbConfig.model_validate({"source": source, "mapping": {"fields": FIELDS}})


def _read(root: Path, **source: Any) -> list[Any]:
    return [row for page in fetch_pages(_config(**source), secret=None, root=root) for row in page]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, encoding: str, delimiter: str) -> None:
    (tmp_path / "hosts.csv").write_bytes(CSV.replace(",", delimiter).encode(encoding))
    one, two = _read(tmp_path, kind="csv", path="hosts.csv", encoding=encoding, delimiter=delimiter)
    assert isinstance(one, CmdbMachine)
    assert one.values == {"cmdb_id": "A1", "sn": "A1", "hostname": "bm-1", "address": "10.0.0.1", "owner": "张三"}
    assert two.values["owner"] == "nobody"


def test_csv_with_a_byte_order_mark_as_spreadsheets_write_it(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_bytes(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())
    assert len(_read(tmp_path, kind="csv", path="hosts.csv")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "", "sn,sn\nA,B\n", "sn,host,ip\nA1,bm-1\n", "sn,host,ip\nA1,bm-1,10.0.0.1,extra\n",
        'sn,host,ip\nA1,"bm-1,10.0.0.1\n', 'sn,host,ip\nA1,"bm"x,10.0.0.1\n', "sn,host,ip\nA1,b\x00m,10.0.0.1\n",
    ],
)  # fmt: skip
def test_a_malformed_csv_gives_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts.csv").write_text(text)
    with pytest.raises(CmdbMalformed):
        _read(tmp_path, kind="csv", path="hosts.csv")


def test_a_file_in_another_encoding_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_bytes(CSV.encode("gb18030"))
    with pytest.raises(CmdbMalformed):
        _read(tmp_path, kind="csv", path="hosts.csv")


@pytest.mark.parametrize("text", ["", "{", '{"hosts": 1}', "[]x", "[" * 100_000])
def test_a_malformed_json_gives_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts.json").write_text(text)
    with pytest.raises(CmdbMalformed):
        _read(tmp_path, kind="json", path="hosts.json", items="hosts")


def test_json(tmp_path: Path) -> None:
    (tmp_path / "hosts.json").write_text('{"hosts": [{"sn": "A1", "host": "bm-1", "ip": "10.0.0.1"}, "odd"]}')
    one, odd = _read(tmp_path, kind="json", path="hosts.json", items="hosts")
    assert one.values["owner"] == "nobody"
    assert odd.field == "address"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../outside.csv", "a/../../outside.csv", "link.csv", "missing.csv", "."]
)
def test_files_outside_of_the_directory_are_not_read(tmp_path: Path, path: str) -> None:
    root = tmp_path / "cmdb"
    root.mkdir()
    (tmp_path / "outside.csv").write_text(CSV)
    os.symlink(tmp_path / "outside.csv", root / "link.csv")
    with pytest.raises((CmdbUnreachable, ValueError)):
        _read(root, kind="csv", path=path)


def test_nothing_tells_which_files_exist_outside(tmp_path: Path) -> None:
    root = tmp_path / "cmdb"
    root.mkdir()
    (tmp_path / "there.csv").write_text(CSV)
    os.symlink(tmp_path / "there.csv", root / "a.csv")
    os.symlink(tmp_path / "not-there.csv", root / "b.csv")
    said = set()
    for path in ("a.csv", "b.csv"):
        with pytest.raises(CmdbUnreachable) as caught:
            _read(root, kind="csv", path=path)
        said.add(caught.value.message.en.replace(path, "it"))
    assert len(said) == 1
    with pytest.raises(ValueError, match="without"):
        _config(kind="json", path="a/../../there.json")


def test_a_named_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hosts.csv")
    with pytest.raises(CmdbUnreachable):
        _read(tmp_path, kind="csv", path="hosts.csv")


def test_a_link_inside_the_directory_may_name_the_newest_file(tmp_path: Path) -> None:
    (tmp_path / "hosts-2.csv").write_text(CSV)
    os.symlink("hosts-2.csv", tmp_path / "hosts.csv")
    assert len(_read(tmp_path, kind="csv", path="hosts.csv")) == 2


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text(CSV)
    with pytest.raises(CmdbTooLarge):
        _read(tmp_path, kind="csv", path="hosts.csv", max_bytes=10)


def test_a_missing_directory_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(CmdbError):
        _read(tmp_path / "nowhere", kind="csv", path="hosts.csv")


@pytest.mark.parametrize(
    ("mapping", "word"),
    [
        ({"fields": {}}, "must be mapped"),
        ({"fields": {**FIELDS, "colour": {"path": "c"}}}, "unknown fields: colour"),
        ({"fields": {**FIELDS, "sn": {"path": "sn", "scales": 2}}}, "scales"),
        ({"fields": {**FIELDS, "sn": {"path": 3}}}, "path"),
        ({"fields": {**FIELDS, "sn": {"path": "a..b"}}}, "path"),
    ],
)
def test_a_mapping_is_checked_when_it_is_saved(mapping: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        CmdbConfig.model_validate({"source": {"kind": "csv", "path": "x"}, "mapping": mapping})


def test_a_truth_value_is_no_number_even_when_it_is_scaled(tmp_path: Path) -> None:
    fields = {**FIELDS, "memory_mb": {"path": "mem", "scale": 1024}}
    (tmp_path / "hosts.json").write_text('[{"sn": "A1", "host": "bm-1", "ip": "10.0.0.1", "mem": true}]')
    config = CmdbConfig.model_validate(
        {"source": {"kind": "json", "path": "hosts.json"}, "mapping": {"fields": fields}}
    )
    ((row,),) = fetch_pages(config, secret=None, root=tmp_path)
    assert isinstance(row, RefusedRow)
    assert row.field == "memory_mb"
