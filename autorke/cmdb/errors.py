"""What can stand in the way of a sync."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text


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
