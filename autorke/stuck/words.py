"""Every cause by name: what it says, what its repair does, who may ask for it, and what is left to do by hand.

`{…}` are filled from the evidence of a finding. docs/stuck.md tells the same to operators at length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autorke.core.errors import Text
from autorke.users.access import Permission

Place = Literal["ticket", "users"]
"""Where in the console a person does what no button here may do for him."""


@dataclass(frozen=True)
class Repair:
    """`lasting`: holds until the cause is gone; else it is done once, at once."""

    label: Text
    effect: Text
    permission: Permission
    lasting: bool = False


@dataclass(frozen=True)
class Cause:
    title: Text
    remedy: Text
    repair: Repair | None = None
    go: Place | None = None
    everybody: bool = False
    """Concerns the whole installation; else those who may repair it, and who asked for the ticket."""


_STAND_IN = Repair(
    Text(zh="由 API 代为协调", en="Let the api stand in"),
    Text(
        zh="在执行主机恢复之前，由 API 代做协调器的工作：让审核过期、发现失联的执行、推进工单。"
        "API 不连接任何机器，也不启动执行器。",
        en="Until a worker host's reconciler is back, the api does its work: gates expire, lost runners are noticed, "
        "tickets move on. The api touches no machine and starts no runner.",
    ),
    "settings:write",
    lasting=True,
)
_DIRECTLY = Repair(
    Text(zh="由执行主机直接领取", en="Let worker hosts take starts directly"),
    Text(
        zh="在此原因消失之前，执行主机每轮都直接从数据库领取就绪的执行，不经过消息队列。领取规则不变，不会有任何步骤启动两次。",
        en="Until the cause is gone, worker hosts take what is ready from the database in every pass, without a "
        "message. It is claimed by the same rule as always: nothing starts twice.",
    ),
    "settings:write",
    lasting=True,
)
_NUDGE = Repair(
    Text(zh="按规则推进一步", en="Take it one step on"),
    Text(
        zh="引擎重新查看工单并按自身规则做下一件事。丢失的启动会重新计划并重新审核；不会因此执行任何变更。",
        en="The engine looks at the ticket anew and does what its own rules say is next. A start that was lost is "
        "planned again and needs a new approval; nothing that changes a machine is run by this.",
    ),
    "ticket:operate",
)
_PAUSE = Text(
    zh="暂停工单：已开始的部分做完，不再开始下一个节点或步骤，直到有人恢复。",
    en="Pauses the ticket: what has begun is finished, no other node or step begins until it is resumed.",
)

CAUSES: dict[str, Cause] = {
    "no_worker_host": Cause(
        Text(
            zh="没有执行主机在报告（已知：{hosts}）：没有步骤会开始，也没有工单会推进",
            en="No worker host reports (known: {hosts}): no step starts and no ticket moves on",
        ),
        Text(
            zh="在执行主机上启动启动器（autorke-launcher）；正在进行的执行不受影响",
            en="Start the launcher on a worker host (autorke-launcher); runs that are under way go on by themselves",
        ),
        _STAND_IN,
        everybody=True,
    ),
    "no_reconciler": Cause(
        Text(
            zh="执行主机在报告，但协调器没有完成任何一轮（{hosts}）",
            en="Worker hosts report, but no pass of the reconciler ends ({hosts})",
        ),
        Text(
            zh="查看启动器日志，必要时重启启动器", en="Read the launcher's log there, restart the launcher if need be"
        ),
        _STAND_IN,
        everybody=True,
    ),
    "host_silent": Cause(
        Text(zh="执行主机 {host} 没有报告", en="Worker host {host} does not report"),
        Text(
            zh="启动该主机上的启动器；若主机已永久下线，则忘记它",
            en="Start its launcher; if the host is gone for good, forget it",
        ),
        Repair(
            Text(zh="忘记该主机", en="Forget the host"),
            Text(
                zh="不再等待该主机；它再次报告时会重新出现。若它上面还有未结束的执行，则拒绝。",
                en="It is not waited for any more; should it report again, it is known again. Refused while an attempt "
                "on it has not ended.",
            ),
            "settings:write",
        ),
        everybody=True,
    ),
    "hosts_drained": Cause(
        Text(
            zh="所有执行主机都已停止领取（{hosts}）：没有步骤会开始",
            en="Every worker host is drained ({hosts}): no step starts",
        ),
        Text(zh="启动另一台执行主机，或让它们重新领取", en="Start another worker host, or let these claim again"),
        Repair(
            Text(zh="让它们重新领取", en="Let them claim again"),
            Text(zh="这些执行主机重新领取就绪的执行。", en="These worker hosts claim what is ready again."),
            "settings:write",
        ),
        everybody=True,
    ),
    "broker_down": Cause(
        Text(
            zh="消息队列（Redis）没有应答：启动通知送不到，页面每 10 秒才刷新一次",
            en="The broker (Redis) does not answer: starts are not handed out, pages are told of changes late",
        ),
        Text(zh="恢复 Redis；其中的内容丢失无妨", en="Bring Redis back; what was in it may be lost without harm"),
        _DIRECTLY,
        everybody=True,
    ),
    "hints_not_taken": Cause(
        Text(
            zh="没有 Celery worker 在领取启动通知（{count} 个工单在等）",
            en="No Celery worker takes hints: nothing is started ({count} ticket(s) wait)",
        ),
        Text(zh="重启执行主机上的 autorke-worker", en="Restart autorke-worker on the worker hosts"),
        _DIRECTLY,
        everybody=True,
    ),
    "not_claimed": Cause(
        Text(
            zh="Celery worker 在工作，却没有领取 {count} 个已就绪的工单",
            en="Celery workers take hints, and yet {count} ticket(s) that are ready are not claimed",
        ),
        Text(
            zh="重启 autorke-worker：它可能还在运行另一个版本；并查看其日志",
            en="Restart autorke-worker, which may still run another release, and read its log",
        ),
        _DIRECTLY,
        everybody=True,
    ),
    "handler_missing": Cause(
        Text(
            zh="没有执行主机带有 {handler}，{count} 个工单在等它",
            en="No worker host carries {handler}, which {count} ticket(s) wait for",
        ),
        Text(
            zh="把一台执行主机升级（或恢复）到带有它的版本，或取消这些工单",
            en="Bring a worker host to a release that carries it, or cancel the tickets",
        ),
        go="ticket",
        everybody=True,
    ),
    "run_dir_full": Cause(
        Text(
            zh="执行主机 {host} 的私有目录只剩 {free_mb} MB：新的执行会失败",
            en="Worker host {host} has {free_mb} MB left for the private files of runs: new ones will fail",
        ),
        Text(zh="在该主机上清理 AUTORKE_RUN_DIR 所在的 tmpfs", en="Clear the tmpfs of AUTORKE_RUN_DIR on that host"),
        Repair(
            Text(zh="停止在该主机领取", en="Drain the host"),
            Text(
                zh="在空间恢复之前，该主机不再领取执行；正在进行的执行继续。空间恢复后自动重新领取。",
                en="Until there is room again this host claims nothing; what runs there goes on. It claims again by "
                "itself as soon as there is room.",
            ),
            "settings:write",
            lasting=True,
        ),
        everybody=True,
    ),
    "clock_skew": Cause(
        Text(
            zh="执行主机 {host} 的时钟与数据库相差 {seconds} 秒",
            en="The clock of worker host {host} is {seconds} s off the database's",
        ),
        Text(
            zh="修好该主机的时间同步（chrony）。租约与过期只用数据库时间，不受影响；证书与日志时间受影响",
            en="Mend its time synchronisation (chrony). Leases and expiries go by the database's clock; certificates "
            "and times in logs do not",
        ),
        everybody=True,
    ),
    "schedule_overdue": Cause(
        Text(zh="CMDB 源“{name}”早该同步了", en='CMDB source "{name}" should have been synced by now'),
        Text(zh="查看启动器日志：其中的定时任务没有运行", en="Read the launcher's log: its schedules do not run"),
        Repair(
            Text(zh="由 API 执行定时任务", en="Let the api run the schedules"),
            Text(
                zh="在此原因消失之前，由 API 进程执行到期的同步。它只读 CMDB，并像每次同步一样更新机器。",
                en="Until the cause is gone, the api carries out what is due. It reads the CMDB and updates machines "
                "as every sync does.",
            ),
            "cmdb:sync",
            lasting=True,
        ),
        everybody=True,
    ),
    "runner_silent": Cause(
        Text(
            zh="“{zh}”的执行器在 {host} 上没有消息",
            en='The runner of "{en}" on {host} says nothing',
        ),
        Text(
            zh="一分钟后会自动判为未知；若主机已知失效，可立即判定",
            en="After a minute it becomes UNKNOWN by itself; where the host is known to be gone, say so now",
        ),
        Repair(
            Text(zh="立即判为失联", en="Declare it lost now"),
            Text(
                zh="执行变为“未知”（只读的计划会重新开始）：它迟到的写入被拒绝，只读探测查看机器，由人给出结论。不会重新执行任何步骤。",
                en="The run becomes UNKNOWN (a plan, which only reads, begins again): its late writes are refused, a "
                "read-only probe looks at the machines, a person says what became of them. Nothing is run again.",
            ),
            "ticket:resolve",
        ),
    ),
    "process_left": Cause(
        Text(
            zh="“{zh}”的执行 {n} 已结束，但它的进程仍在 {host} 上",
            en='Attempt {n} of "{en}" is over, and a process of it is still there on {host}',
        ),
        Text(
            zh="在该主机上查看：ps -e -o pid,sid,args | grep autorke；它可能仍在操作机器",
            en="Look there: ps -e -o pid,sid,args | grep autorke; it may still act on machines",
        ),
        Repair(
            Text(zh="结束该进程", en="End its processes"),
            Text(
                zh="由 {host} 结束该执行的执行器和它启动的全部工具。工具正在做的事会中断在半途；"
                "结果未知的节点之后由人给出结论。",
                en="{host} kills the runner and every tool of this attempt. What a tool is doing stops half-way; nodes "
                "of which nobody knows the end are then a person's matter.",
            ),
            "ticket:resolve",
            lasting=True,
        ),
    ),
    "unknown_unresolved": Cause(
        Text(zh="“{zh}”的未知结果一直无人处理", en='Nobody has said what became of the unknown results of "{en}"'),
        Text(zh="查看探测结果，在工单页给出结论", en="Read what the probe saw and resolve it on the ticket's page"),
        go="ticket",
    ),
    "gate_unsignable": Cause(
        Text(
            zh="“{zh}”的审核没有足够的人能签：需要 {quorum} 个有 {permission} 权限、且不是申请人的人",
            en='Too few people can sign the gate of "{en}": it takes {quorum} with {permission}, never the requester',
        ),
        Text(
            zh="给某人相应角色，启用被停用的账号，或由审批人设置代理",
            en="Give somebody the role, enable a disabled account, or let an approver delegate",
        ),
        go="users",
    ),
    "gate_not_expired": Cause(
        Text(zh="“{zh}”的审核早已到期，却没有过期", en='The gate of "{en}" is past its time and has not expired'),
        Text(zh="查看启动器日志：协调器处理不了它", en="Read the launcher's log: the reconciler does not get it done"),
        _NUDGE,
    ),
    "approval_overdue": Cause(
        Text(zh="“{zh}”的审核等待已久", en='The gate of "{en}" has waited long for a signature'),
        Text(zh="提醒能签的人；工单页列出了他们", en="Remind those who may sign; the ticket's page names them"),
        go="ticket",
    ),
    "callback_overdue": Cause(
        Text(zh="“{zh}”迟迟没有等到外部系统的回调", en='"{en}" still waits for the callback of an outside system'),
        Text(zh="在外部系统中查看该工单是否还在处理", en="Look into the outside system: is the order still worked on?"),
        Repair(
            Text(zh="不再等待", en="Wait no longer"),
            Text(
                zh="该步骤像到期一样失败；重试会用同一个键再问外部系统，不会产生第二个网络工单。迟到的回调只记录，不生效。",
                en="The step fails as after its deadline. A retry asks the outside system under the same key, so there "
                "is no second order; an answer that still comes is recorded and not applied.",
            ),
            "ticket:operate",
        ),
    ),
    "no_progress": Cause(
        Text(
            zh="工单停着，却没有任何人或机器需要等待",
            en="The ticket stands still although nobody and nothing is waited for",
        ),
        Text(zh="推进一步；仍不动则查看启动器日志", en="Take it one step on; if it stays, read the launcher's log"),
        _NUDGE,
    ),
    "pass_fails": Cause(
        Text(
            zh="协调器在此工单上连续失败 {times} 次（{what}：{error}）",
            en="The reconciler has failed on this {times} times in a row ({what}: {error})",
        ),
        Text(
            zh="这是 AutoRke 的缺陷：启动器日志中有堆栈，请报告",
            en="A bug of AutoRke: the launcher's log has the traceback; please report it",
        ),
        Repair(Text(zh="暂停工单", en="Pause the ticket"), _PAUSE, "ticket:operate"),
    ),
    "lock_outlived": Cause(
        Text(
            zh="工单 #{number} 已结束，却仍持有锁 {kind}/{key}",
            en="Ticket #{number} has ended and still holds the lock {kind}/{key}",
        ),
        Text(zh="释放它；等待者随后继续", en="Release it; whoever waits goes on"),
        Repair(
            Text(zh="释放锁", en="Release the lock"),
            Text(
                zh="释放这个锁。仅当该工单的任何部分都不可能再操作时才允许。",
                en="The lock is taken away. Refused while anything of its ticket can still act.",
            ),
            "lock:release",
        ),
    ),
    "held_up": Cause(
        Text(
            zh="{count} 个工单在等待工单 #{number}，它处于 {state}",
            en="{count} ticket(s) wait behind ticket #{number}, which is {state}",
        ),
        Text(
            zh="恢复、重试、关闭或取消持有锁的工单",
            en="Resume, retry, close or cancel the ticket that holds the lock",
        ),
        Repair(
            Text(zh="恢复该工单", en="Resume the ticket"),
            Text(
                zh="工单 #{number} 从暂停处继续；仍需的审核照常等待。",
                en="Ticket #{number} goes on from where it was paused; gates wait for signatures as always.",
            ),
            "ticket:operate",
        ),
        go="ticket",
    ),
    "log_silent": Cause(
        Text(
            zh="“{zh}”已 {minutes} 分钟以上没有任何日志",
            en='"{en}" has logged nothing for more than {minutes} minutes',
        ),
        Text(zh="查看日志和正在处理的节点；每步仍有自己的时限", en="Read its log; every step has its own time limit"),
        Repair(Text(zh="在安全点停下", en="Stop at the next safe point"), _PAUSE, "ticket:operate"),
    ),
}
