"""What the command line says when something does not go, and the exit code that scripts read.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | refused or failed; for `ticket watch` also: the ticket ended without success |
| 2 | wrong usage: an option, a file or a value given on the command line |
| 3 | not signed in, or not allowed |
| 4 | no such object |
| 5 | not now: the object has changed, is busy, or already exists |
| 6 | AutoRke cannot be reached, or fails inside |
| 7 | `ticket watch`: the ticket needs a person |
| 130 | interrupted with Ctrl-C |
"""

from __future__ import annotations

from typing import Any

from autorke.core.errors import (
    AutoRkeError,
    Conflict,
    Forbidden,
    NotFound,
    Text,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)

OK = 0
FAILED = 1
USAGE = 2
DENIED = 3
NOT_FOUND = 4
CONFLICT = 5
UNREACHABLE = 6
ATTENTION = 7


class Refused(Exception):
    """The API's own refusal: `problem` is its problem+json, told to the person as it is."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(f"{status} {problem.get('code', '')}")


class BadUsage(AutoRkeError):
    """A value on the command line that cannot be meant; exit code 2."""

    status = 400
    code = "bad-usage"
    text = Text(zh="{zh}", en="{en}")


class FileUnreadable(BadUsage):
    code = "file-unreadable"
    text = Text(zh="读不了 {file}：{reason}", en="Cannot read {file}: {reason}")
    remedy = Text(zh="检查路径与权限", en="Check its path and permissions")


class NotSignedIn(Unauthenticated):
    code = "not-signed-in"
    remedy = Text(
        zh="运行 autorke login URL，或设置 AUTORKE_URL 与 AUTORKE_TOKEN",
        en="Run `autorke login URL`, or set AUTORKE_URL and AUTORKE_TOKEN",
    )


class Unreachable(Unavailable):
    code = "unreachable"
    text = Text(zh="连不上 {url}：{reason}", en="Cannot reach {url}: {reason}")
    remedy = Text(zh="检查地址、网络和服务是否已启动", en="Check the address, the network, and that the service runs")


class NotAutoRke(Unavailable):
    code = "not-autorke"
    text = Text(zh="{url} 的回答不像 AutoRke（{status}）", en="{url} does not answer like AutoRke ({status})")
    remedy = Text(zh="检查地址与代理", en="Check the address, and proxies on the way")


class ProfileOpenToOthers(BadUsage):
    """A token that other people of this machine could read may already be theirs."""

    code = "profile-open-to-others"
    text = Text(zh="{file} 可被他人读取（权限 {mode}）", en="{file} can be read by others (mode {mode})")
    remedy = Text(zh="chmod 600 后重试；必要时重新登录", en="chmod 600 it; sign in anew if others may have read it")


class NoSuchThing(NotFound):
    """Something named on the command line that the API does not know, or does not show to this person."""


class SeveralMatch(Unprocessable):
    code = "several-match"
    text = Text(zh="{key} 对应多个{what}", en="{key} means more than one {what}")
    remedy = Text(zh="用编号、地址或序列号指明", en="Name it by id, address or serial number")


class NothingToDecide(Conflict):
    code = "nothing-to-decide"
    text = Text(zh="工单 {number}（{state}）没有待审核的 {which}", en="Ticket {number} ({state}) has no open {which}")
    remedy = Text(
        zh="用 autorke ticket watch {number} 等待下一个审核",
        en="`autorke ticket watch {number}` waits for the next gate",
    )


class OwnTicket(Forbidden):
    code = "requester-may-not-approve"
    text = Text(
        zh="工单 {number} 是您自己申请的，不能由您审核", en="You asked for ticket {number}; you never approve it"
    )
    remedy = Text(zh="请另一位审批人审核", en="Ask another approver")


class NothingToRetry(Conflict):
    code = "nothing-to-retry"
    text = Text(zh="工单 {number}（{state}）没有可以重试的步骤", en="Ticket {number} ({state}) has no step to retry")
    remedy = Text(
        zh="用 autorke ticket show {number} 查看它在等什么", en="`autorke ticket show {number}` says what it waits for"
    )


class TicketOver(Conflict):
    code = "ended"
    text = Text(zh="工单 {number} 已经结束（{state}）", en="Ticket {number} has ended already ({state})")


class HashDiffers(Conflict):
    code = "stale-plan"
    text = Text(
        zh="{gate} 的计划已改变，或不是您指定的", en="The plan of {gate} has changed, or is not the one you named"
    )
    remedy = Text(zh="重新查看计划后再决定", en="Read the plan again, then decide")


class FingerprintDiffers(Conflict):
    code = "fingerprint-differs"
    text = Text(
        zh="{machine} 的主机公钥指纹是 {seen}，不是您指定的",
        en="The host key of {machine} has fingerprint {seen}, not the one you named",
    )
    remedy = Text(zh="在机器控制台核对；可能有人在中间", en="Compare at its console; somebody may be in between")


class SyncFailed(Conflict):
    code = "sync-failed"
    status = 422
    text = Text(zh="同步没有完成（{outcome}）：{zh}", en="The sync did not succeed ({outcome}): {en}")
    remedy = Text(zh="没有改动任何机器；修正后重试", en="No machine was changed; correct it and sync again")


class NothingUnknown(Conflict):
    code = "nothing-unknown"
    text = Text(zh="步骤 {step} 没有结果未知的执行", en="Step {step} has no attempt whose result is unknown")


def exit_code(error: AutoRkeError | Refused) -> int:
    """The exit code that tells a script what kind of refusal this is."""
    if isinstance(error, BadUsage):
        return USAGE
    known = {401: DENIED, 403: DENIED, 404: NOT_FOUND, 409: CONFLICT}
    return UNREACHABLE if error.status >= 500 else known.get(error.status, FAILED)
