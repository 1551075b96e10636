"""What can keep the embedded databases from starting, in words for the person at the terminal."""

from __future__ import annotations

from autorke.core.errors import AutoRkeError, Text


class BinaryMissing(AutoRkeError):
    code = "embedded-binary-missing"
    text = Text(zh="找不到 {what} 的可执行文件，已查找：{places}", en="No {what} binary found; looked at {places}")
    remedy = Text(
        zh="安装可选依赖 autorke[embedded]，或用 {variable} 指定，或改用外部服务的 URL",
        en="Install the extra autorke[embedded], or name one in {variable}, or set the URL of an outside server",
    )


class UnknownAccount(AutoRkeError):
    code = "embedded-account-unknown"
    text = Text(zh="系统中没有用户 {name}", en="There is no user {name} on this system")
    remedy = Text(
        zh="把 AUTORKE_EMBEDDED_USER 设为一个已存在的非 root 用户",
        en="Set AUTORKE_EMBEDDED_USER to an existing user other than root",
    )


class StartFailed(AutoRkeError):
    code = "embedded-start-failed"
    text = Text(
        zh="{service} 没有在 {seconds} 秒内就绪：{reason}", en="{service} was not ready in {seconds} s: {reason}"
    )
    remedy = Text(zh="查看日志 {log}", en="Look into {log}")


class AlreadyRunning(AutoRkeError):
    status = 409
    code = "embedded-already-running"
    text = Text(
        zh="数据目录 {directory} 已被进程 {pid} 使用", en="Data directory {directory} is in use by process {pid}"
    )
    remedy = Text(
        zh="先停止那个进程，或用 AUTORKE_DATA_DIR 指定另一个目录",
        en="Stop that process first, or name another directory in AUTORKE_DATA_DIR",
    )


class UnsafeDirectory(AutoRkeError):
    code = "embedded-unsafe-directory"
    text = Text(
        zh="目录 {directory} 属于别人或对别人可写", en="Directory {directory} is owned or writable by somebody else"
    )
    remedy = Text(zh="删除它或换一个数据目录", en="Remove it, or use another data directory")


class PortTaken(AutoRkeError):
    status = 409
    code = "embedded-port-taken"
    text = Text(zh="{host}:{port} 已被别的进程占用", en="{host}:{port} is taken by another process")
    remedy = Text(zh="停止它，或用 AUTORKE_PORT 指定别的端口", en="Stop it, or name another port in AUTORKE_PORT")


class OtherVersion(AutoRkeError):
    status = 409
    code = "embedded-other-version"
    text = Text(
        zh="{directory} 中的数据属于 PostgreSQL {found}，而可执行文件是 {wanted}",
        en="The data in {directory} belongs to PostgreSQL {found}; the binaries are {wanted}",
    )
    remedy = Text(
        zh="用 AUTORKE_PG_BIN 指定旧版本，pg_dump 导出后再导入新版本",
        en="Name the old version in AUTORKE_PG_BIN, pg_dump, then load the dump into the new one",
    )


class FleetChanged(AutoRkeError):
    status = 409
    code = "embedded-fleet-changed"
    text = Text(
        zh="演示数据来自另一套模拟机器（程序更新后机器描述已变）",
        en="These data were made with other simulated machines (an update has changed their description)",
    )
    remedy = Text(zh="用 --fresh 重新开始演示", en="Begin the demo anew with --fresh")


class SeedFailed(AutoRkeError):
    code = "embedded-seed-failed"
    text = Text(
        zh="填充演示数据失败：{where} 返回 {answer}：{reason}",
        en="Filling the demo failed: {where} answered {answer}: {reason}",
    )
    remedy = Text(zh="查看数据目录下的 log/api.log", en="Look into log/api.log below the data directory")
