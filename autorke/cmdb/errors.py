"""What can stand in the way of a sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autorke.core.errors import Conflict, Text, Unprocessable


class SyncRunning(Conflict):
    code = "cmdb-sync-running"
    text = Text(zh="来源 {name} 正在同步", en="Source {name} is being synced")
    remedy = Text(zh="等待它结束", en="Wait until it has ended")


class SourceDisabled(Conflict):
    code = "cmdb-source-disabled"
    text = Text(zh="来源 {name} 已停用", en="Source {name} is disabled")
    remedy = Text(zh="先启用该来源", en="Enable it first")


class StaleSource(Conflict):
    code = "stale-cmdb-source"
    text = Text(
        zh="来源 {name} 已被他人修改（当前版本 {version}）", en="Source {name} has changed (now version {version})"
    )
    remedy = Text(zh="刷新后重新修改", en="Reload it and make your change again")


class SourceNotByImport(Conflict):
    code = "cmdb-source-not-by-import"
    text = Text(zh="来源 {name} 是从 CMDB 同步的", en="Source {name} is synced from a CMDB")
    remedy = Text(zh="换一个名称导入", en="Import the file under another name")


class ImportUnreadable(Unprocessable):
    """The text is no table at all: its first fault, with its place."""

    code = "import-unreadable"
    text = Text(zh="第 {line} 行，列 {column}：{zh}", en="line {line}, column {column}: {en}")
    remedy = Text(
        zh="没有写入任何机器；修正文件后重新导入", en="No machine was written; correct the file and import it again"
    )


class ImportColumnMissing(Unprocessable):
    code = "import-column-missing"
    text = Text(
        zh="文件没有列 {missing}；现有列：{columns}", en="The file has no column for {missing}; it has: {columns}"
    )
    remedy = Text(zh="用 mapping 指明哪一列是哪个字段", en="Say with `mapping` which column holds which field")


class ImportRefused(Unprocessable):
    """Rows that cannot be machines; `errors` names each with row, column and reason."""

    code = "import-refused"
    text = Text(
        zh="{count} 行有误，第一处：第 {row} 行，列 {column}：{zh}",
        en="{count} bad rows, first: row {row}, column {column}: {en}",
    )
    remedy = Text(
        zh="没有写入任何机器；修正文件后重新导入", en="No machine was written; correct the file and import it again"
    )

    def __init__(self, *, errors: Sequence[Mapping[str, Any]] = (), **values: Any) -> None:
        super().__init__(**values)
        self.errors = errors
