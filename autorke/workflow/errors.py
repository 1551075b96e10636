"""What the engine refuses, and why."""

from __future__ import annotations

from autorke.core.errors import Conflict, Forbidden, InvalidTransition, Text, Unprocessable


class StalePlan(Conflict):
    code = "stale-plan"
    text = Text(
        zh="计划已改变：您看到的是 {seen}，当前是 {current}",
        en="The plan has changed: you saw {seen}, it is now {current}",
    )
    remedy = Text(zh="重新查看计划后再决定", en="Read the plan again, then decide")


class GateNotOpen(Conflict):
    code = "gate-not-open"
    text = Text(zh="审核已是 {state}，不能再决定", en="The gate is {state}; nothing can be decided on it")
    remedy = Text(zh="刷新工单查看当前审核", en="Reload the ticket and look at its current gates")


class AlreadyDecided(Conflict):
    code = "already-decided"
    text = Text(zh="您已经对此审核作出决定：{decision}", en="You have already decided on this gate: {decision}")


class RequesterMayNotApprove(Forbidden):
    code = "requester-may-not-approve"
    text = Text(zh="申请人不能审核自己的工单", en="The requester never approves his own ticket")
    remedy = Text(zh="请另一位审核人处理", en="Ask another approver")


class NotEligible(Forbidden):
    code = "not-eligible"
    text = Text(zh="您没有此审核需要的权限 {permission}", en="You lack {permission}, which this gate asks for")
    remedy = Text(zh="请有权限的审核人处理，或由其委托给您", en="Ask somebody who holds it, or to delegate it to you")


class CommentNeeded(Unprocessable):
    code = "comment-needed"
    text = Text(zh="驳回必须写明理由", en="A rejection needs a reason")


class ReasonNeeded(Unprocessable):
    code = "reason-needed"
    text = Text(zh="必须写明理由", en="A reason is needed")


class Ended(Conflict):
    code = "ticket-ended"
    text = Text(zh="工单已结束（{state}）", en="The ticket has ended ({state})")


class BeingCancelled(InvalidTransition):
    text = Text(zh="工单正在取消", en="The ticket is being cancelled")


class AlreadyPaused(InvalidTransition):
    text = Text(zh="工单已经暂停", en="The ticket is paused already")


class NotPaused(InvalidTransition):
    text = Text(zh="工单没有暂停", en="The ticket is not paused")


class NothingStuck(InvalidTransition):
    text = Text(
        zh="没有失败、被驳回、已过期或无法计划的步骤",
        en="No step has failed, was rejected, has expired or could not be planned",
    )


class ResolveFirst(InvalidTransition):
    text = Text(zh="步骤 {step} 有结果未知的节点", en="Step {step} has nodes of which nobody knows what became of them")
    remedy = Text(zh="先对每个未知节点给出结论", en="Say of each of them whether it is done, then go on")


class StepNotRetryable(InvalidTransition):
    text = Text(
        zh="步骤 {step} 处于 {state}，没有什么可以重试", en="Step {step} is {state}: there is nothing in it to retry"
    )


class NobodyLeft(InvalidTransition):
    text = Text(zh="不能排除全部节点", en="Not every node can be left out")
    remedy = Text(zh="改为取消或关闭工单", en="Cancel or close the ticket instead")


class NothingUnknown(InvalidTransition):
    text = Text(zh="没有结果未知的执行", en="No attempt waits for somebody to say what became of it")


class UnknownNodes(Unprocessable):
    code = "unknown-nodes"
    text = Text(zh="这些节点不属于此工单：{nodes}", en="These nodes are not part of the ticket: {nodes}")


class DeathNotProven(Conflict):
    code = "death-not-proven"
    text = Text(
        zh="尚未证明原执行进程已结束",
        en="Nothing proves yet that the lost runner has ended",
    )
    remedy = Text(
        zh="等待其所在主机恢复后自动确认，或由两个人以“强制”方式承担责任",
        en="Wait until its host answers, or let two people take the responsibility with override",
    )


class SecondPersonNeeded(Conflict):
    code = "second-person-needed"
    text = Text(
        zh="已记录第一人的强制请求，需要另一人确认", en="The first override is recorded; another person must confirm"
    )


class IdempotencyConflict(Conflict):
    code = "idempotency-conflict"
    text = Text(
        zh="同一个幂等键已用于内容不同的请求",
        en="This idempotency key was already used for a different request",
    )
    remedy = Text(zh="为新的请求使用新的键", en="Use a new key for a new request")


class UnknownFlow(Unprocessable):
    code = "unknown-flow"
    text = Text(zh="没有这个流程：{name}", en="No such flow: {name}")


class Fenced(Exception):
    """This runner no longer owns its attempt: it must stop without another effect (P6)."""
