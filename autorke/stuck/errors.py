"""Why a repair is refused."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text


class NoLongerStuck(Conflict):
    code = "no-longer-stuck"
    text = Text(zh="它已经不再卡住", en="It is stuck no longer")
    remedy = Text(zh="刷新后再看", en="Reload and look again")


class NoRepair(Conflict):
    code = "no-repair"
    text = Text(zh="此处没有可按的修复：{remedy_zh}", en="There is no repair to press for this: {remedy_en}")


class RepairAsked(Conflict):
    code = "repair-asked"
    text = Text(zh="修复已在进行", en="This repair is under way already")
    remedy = Text(zh="它会持续到原因消失", en="It lasts until the cause is gone")


class HostStillNeeded(Conflict):
    code = "host-still-needed"
    text = Text(zh="不能忘记执行主机 {host}：{zh}", en="Worker host {host} cannot be forgotten: {en}")
    remedy = Text(
        zh="先在工单页对其未知结果给出结论，或启动该主机的启动器",
        en="Resolve its unknown attempts on their tickets' pages first, or start its launcher",
    )
