"""What an action would do to a ticket now, in words; the facts come from the engine, which does just that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from autorke.core.errors import Text
from autorke.workflow import options
from autorke.workflow.definition import Cancel, Effect, Unit
from autorke.workflow.engine import Action
from autorke.workflow.models import Attempt, StepRow, Ticket
from autorke.workflow.results import WHOLE
from autorke.workflow.states import LIVE_ATTEMPT, AttemptState, NodeState, Purpose, StepState, TicketState

MOST_NAMES = 20
NOTHING = Text(zh="", en="")
LOCKS = Text(zh="锁被归还。", en="Its locks are given back.")


@dataclass(frozen=True)
class Facts:
    """What is known of a ticket. `focus` is the step that is stuck, which no other can be then.

    With a stuck step `last` is each node's newest result in it and `left` what a retry touches; with a run that has
    begun, or was lost, `last` is what it has said so far and `left` what it has not begun. `done` counts finished
    nodes of changing steps, `wanted` the nodes that nobody has excluded.
    """

    ticket: Ticket
    steps: Sequence[StepRow]
    attempts: Mapping[UUID, Sequence[Attempt]]
    names: Mapping[str, str]
    wanted: int
    focus: StepRow | None
    last: Mapping[str, NodeState]
    left: Sequence[str]
    done: Mapping[UUID, int]
    halted: bool
    upcoming: Action | None

    @property
    def live(self) -> list[Attempt]:
        """Attempts that have not ended; an UNKNOWN one has not."""
        return [attempt for found in self.attempts.values() for attempt in found if attempt.state in LIVE_ATTEMPT]

    def of(self, attempt: Attempt) -> StepRow:
        return next(step for step in self.steps if step.id == attempt.step_id)

    def title(self, step: StepRow) -> Text:
        title = self.ticket.flow_snapshot["steps"][step.ord]["title"]
        return Text(zh=title["zh"], en=title["en"])

    def in_state(self, *states: NodeState) -> list[str]:
        return [node for node, state in self.last.items() if state in states]


def cancel(facts: Facts) -> Text:
    blocker = options.hold_up(facts.live)
    if blocker is not None:
        return _waited_for(facts, blocker)
    if facts.ticket.state == TicketState.QUEUED:
        return Text(
            zh="离开等待队列并立即结束，没有做过任何更改。",
            en="Leaves the queue and ends at once; nothing has been changed.",
        )
    given_up = Text(
        zh="正在计划或已准备、但没有更改任何东西的部分被放弃。",
        en="What is being planned or prepared, and has changed nothing, is given up.",
    )
    return _joined(
        Text(
            zh="没有步骤正在更改，立即以“已取消”结束。", en="No step is changing anything: ends as CANCELLED at once."
        ),
        given_up if facts.live else NOTHING,
        _outside(facts),
        _kept(facts),
        LOCKS,
    )


def _waited_for(facts: Facts, blocker: Attempt) -> Text:
    title = facts.title(facts.of(blocker))
    if blocker.state == AttemptState.UNKNOWN:
        nodes = _names(facts, facts.in_state(NodeState.UNKNOWN))
        return Text(
            zh=f"先要有人对「{title.zh}」的未知结果（{nodes.zh}）给出结论，然后结束；在此之前不会开始任何执行。",
            en=f'Ends when somebody has said what became of "{title.en}" ({nodes.en}); nothing begins until then.',
        )
    ends = Text(zh="然后工单以“已取消”结束。", en="Then the ticket ends as CANCELLED.")
    return _joined(_under_way(facts, blocker, cancelling=True), ends, _kept(facts))


def _under_way(facts: Facts, run: Attempt, *, cancelling: bool) -> Text:
    """A run that has begun: what of it is finished and what is not begun any more."""
    step = facts.of(run)
    title = facts.title(step)
    to_its_end = cancelling and facts.ticket.flow_snapshot["steps"][step.ord]["cancel"] == Cancel.NOT_CANCELLABLE
    if step.unit == Unit.TICKET or to_its_end:
        return Text(
            zh=f"「{title.zh}」正在执行，会整个做完；不再开始其他步骤。",
            en=f'"{title.en}" is under way and will be finished as a whole; no other step begins.',
        )
    nodes, rest = _names(facts, facts.in_state(NodeState.RUNNING)), len(facts.left)
    if not nodes.zh:
        return Text(
            zh=f"「{title.zh}」在下一个节点之前停止：此刻没有节点正在处理，{rest} 个不再开始。",
            en=f'"{title.en}" stops before its next node: none is under way, {rest} are not begun.',
        )
    return Text(
        zh=f"「{title.zh}」在下一个节点之前停止：正在处理的 {nodes.zh} 会做完，{rest} 个不再开始。",
        en=f'"{title.en}" stops before its next node: what is under way will be finished ({nodes.en}), '
        f"{rest} are not begun.",
    )


def pause(facts: Facts) -> Text:
    blocker = options.hold_up(facts.live)
    if blocker is not None and blocker.state == AttemptState.RUNNING:
        return _joined(_under_way(facts, blocker, cancelling=False), _until_resumed())
    if facts.ticket.state == TicketState.QUEUED:
        return Text(
            zh="继续排队等待锁；拿到后不开始任何步骤，直到恢复。",
            en="Goes on waiting for its locks; when it has them, no step begins until it is resumed.",
        )
    planning = any(it.purpose == Purpose.PLAN and it.state == AttemptState.RUNNING for it in facts.live)
    return _joined(
        Text(
            zh="没有步骤正在更改；恢复之前不开始任何步骤。",
            en="No step is changing anything; none begins until it is resumed.",
        ),
        Text(zh="正在制定的计划会完成。", en="The plan that is being made is finished.") if planning else NOTHING,
        Text(zh="审核仍可进行。", en="Gates can still be signed."),
    )


def _until_resumed() -> Text:
    return Text(zh="恢复后从那里继续。", en="It goes on from there when resumed.")


def resume(facts: Facts) -> Text:
    blocker = options.hold_up(facts.live)
    if blocker is not None and blocker.state == AttemptState.RUNNING:
        title = facts.title(facts.of(blocker))
        rest = len(facts.left)
        return Text(
            zh=f"「{title.zh}」继续，还有 {rest} 个节点未开始。",
            en=f'"{title.en}" goes on; {rest} nodes have not begun.',
        )
    return _joined(_next(facts), _halted(facts))


def _next(facts: Facts) -> Text:
    """What the engine does first when nothing holds it."""
    prepared = (AttemptState.READY, AttemptState.CLAIMED)
    waits = next((it for it in facts.live if it.state in prepared and it.purpose != Purpose.PROBE), None)
    if waits is not None:
        title = facts.title(facts.of(waits))
        return Text(zh=f"「{title.zh}」随即开始。", en=f'"{title.en}" begins.')
    if facts.upcoming is None or facts.upcoming.verb in ("wait", "finish"):
        return Text(
            zh="不会立即开始任何步骤：工单等待审核、回调、锁或处理。",
            en="No step begins at once: the ticket waits for a gate, a callback, its locks or somebody.",
        )
    title = facts.title(facts.steps[facts.upcoming.step])
    if facts.upcoming.verb == "launch":
        return Text(zh=f"「{title.zh}」已经放行，随即执行。", en=f'"{title.en}" is released and runs.')
    if facts.upcoming.verb == "close":
        return Text(zh=f"「{title.zh}」已经确认，随即完成。", en=f'"{title.en}" is confirmed and closed.')
    return Text(zh=f"随即计划「{title.zh}」。", en=f'"{title.en}" is planned.')


def retry(facts: Facts) -> Text:
    step = facts.focus
    if step is None or step.state not in options.STUCK:
        return Text(
            zh="重试只涉及失败、不可达和未开始的节点；现在没有。",
            en="A retry touches the failed, unreachable and not-started nodes; there are none now.",
        )
    title = facts.title(step)
    if not facts.left:
        return Text(
            zh=f"不再执行任何节点；「{title.zh}」重新等待确认。",
            en=f'No node runs again; "{title.en}" waits to be confirmed once more.',
        )
    return _joined(_retried(facts, title), _released(step), _replanned(facts, step), _paused(facts), _halted(facts))


def _retried(facts: Facts, title: Text) -> Text:
    if list(facts.left) == [WHOLE]:
        return Text(
            zh=f"重新计划「{title.zh}」（整个步骤一次执行）。",
            en=f'Plans "{title.en}" again, which runs once for all nodes.',
        )
    kinds = (
        (NodeState.FAILED, Text(zh="失败", en="failed")),
        (NodeState.UNREACHABLE, Text(zh="不可达", en="unreachable")),
    )
    parts = [(word, [node for node in facts.left if facts.last.get(node) is state]) for state, word in kinds]
    ended_badly = {node for _, nodes in parts for node in nodes}
    parts.append((Text(zh="未开始", en="not started"), [node for node in facts.left if node not in ended_badly]))
    told = [(word, _names(facts, nodes)) for word, nodes in parts if nodes]
    zh = "；".join(f"{word.zh} {names.zh}" for word, names in told)
    en = "; ".join(f"{word.en}: {names.en}" for word, names in told)
    n = len(facts.left)
    return Text(
        zh=f"只对这 {n} 个节点重新计划「{title.zh}」：{zh}。已成功的不再执行。",
        en=f'Plans "{title.en}" again for exactly these {n}: {en}. What has succeeded does not run again.',
    )


def _released(step: StepRow) -> Text:
    if step.pre_gate:
        return Text(zh="新计划审核后才执行。", en="The new plan runs when its gate is signed.")
    return Text(
        zh="此步骤没有执行前审核：计划完成后直接执行。", en="The step has no gate before it: it runs when planned."
    )


def _replanned(facts: Facts, step: StepRow) -> Text:
    untouched = (StepState.PENDING, StepState.SKIPPED)
    if all(later.state in untouched for later in facts.steps[step.ord + 1 :]):
        return NOTHING
    return Text(zh="之后已计划的步骤会重新计划。", en="Later steps that are planned already are planned anew.")


def exclude(facts: Facts) -> Text:
    step = facts.focus
    if step is None or step.state not in options.STUCK:
        return Text(zh="节点只能在步骤没有顺利完成时排除。", en="Nodes can be left out when a step has not ended well.")
    title, nodes = facts.title(step), _names(facts, [node for node in facts.left if node != WHOLE])
    which = NOTHING
    if nodes.zh:
        which = Text(zh=f"尚未成功的：{nodes.zh}。", en=f"Not succeeded so far: {nodes.en}.")
    after = Text(
        zh=f"若其余都已成功，「{title.zh}」等待确认。",
        en=f'When all others have succeeded, "{title.en}" waits to be confirmed.',
    )
    if step.state in options.REPLANNABLE:
        after = Text(zh=f"然后重新计划「{title.zh}」。", en=f'Then "{title.en}" is planned again.')
    return _joined(
        Text(
            zh="所选节点不再参与此工单；对它们做过的保留并有记录。",
            en="The chosen nodes take no part in the rest; what was done to them stays, on the record.",
        ),
        which,
        after,
    )


def close(facts: Facts) -> Text:
    return _joined(
        Text(
            zh="工单以“失败”结束，没有完成的不再执行。",
            en="The ticket ends as FAILED; what is not done is not done any more.",
        ),
        _outside(facts),
        _kept(facts),
        LOCKS,
    )


def resolve(facts: Facts, attempt: Attempt | None) -> Text:
    if attempt is None:
        return Text(zh="没有结果未知的节点。", en="No node has an unknown result.")
    nodes = _names(facts, facts.in_state(NodeState.UNKNOWN))
    proof = Text(zh="原执行进程已确认结束。", en="Its runner is proven to have ended.")
    if attempt.death_proof is None:
        proof = Text(
            zh="尚未证明原执行进程已结束：需要两个人先后以强制方式承担责任。",
            en="Nothing proves yet that its runner has ended: two people, one after the other, must override.",
        )
        if attempt.override_by is not None:
            proof = _joined(proof, Text(zh="第一人已确认。", en="The first one has."))
    return _joined(
        Text(
            zh=f"对 {nodes.zh} 逐个说明是否已完成：已完成的计为成功，其余计为失败、可以重试。不会自动再次执行。",
            en=f"Says of {nodes.en} whether it is done; the rest counts as failed and may be retried. "
            "Nothing runs again by itself.",
        ),
        proof,
    )


def _kept(facts: Facts) -> Text:
    """What has been done and is not undone."""
    changing = [step for step in facts.steps if step.effect != Effect.READ_ONLY and facts.done.get(step.id)]
    if not changing:
        return Text(zh="此前没有完成任何更改。", en="No change has been completed before.")
    zh = "、".join(_amount_zh(facts, step) for step in changing)
    en = ", ".join(_amount_en(facts, step) for step in changing)
    return Text(zh=f"已完成的更改保留，不会撤销：{zh}。", en=f"Completed changes stay and are not undone: {en}.")


def _amount_zh(facts: Facts, step: StepRow) -> str:
    title = facts.title(step).zh
    return title if step.unit == Unit.TICKET else f"{title}（{facts.done[step.id]} 个节点）"


def _amount_en(facts: Facts, step: StepRow) -> str:
    title = facts.title(step).en
    return title if step.unit == Unit.TICKET else f"{title} ({facts.done[step.id]} nodes)"


def _outside(facts: Facts) -> Text:
    waits = next((step for step in facts.steps if step.state == StepState.WAIT_CALLBACK), None)
    if waits is None:
        return NOTHING
    title = facts.title(waits)
    return Text(
        zh=f"「{title.zh}」向外部系统提交的请求不会撤回。",
        en=f'What "{title.en}" has asked of the outside system is not taken back.',
    )


def _paused(facts: Facts) -> Text:
    if facts.ticket.pause_requested_at is None:
        return NOTHING
    return Text(zh="工单已暂停：恢复后才开始。", en="The ticket is paused: it begins when resumed.")


def _halted(facts: Facts) -> Text:
    if not facts.halted:
        return NOTHING
    return Text(
        zh="全局停止或安全模式已开启：解除之前不会开始。",
        en="Everything is stopped (stop-all switch or safe mode): nothing begins until it is released.",
    )


def _names(facts: Facts, nodes: Sequence[str]) -> Text:
    shown = [facts.names.get(node, node) for node in nodes[:MOST_NAMES] if node != WHOLE]
    if WHOLE in nodes:
        return Text(zh="整个步骤", en="the whole step")
    more = len(nodes) - len(shown)
    zh, en = "、".join(shown), ", ".join(shown)
    return Text(zh=f"{zh} 等 {len(nodes)} 个", en=f"{en} and {more} more") if more else Text(zh=zh, en=en)


def _joined(*parts: Text) -> Text:
    said = [part for part in parts if part.zh]
    return Text(zh="".join(part.zh for part in said), en=" ".join(part.en for part in said))


def nothing(ticket: Ticket) -> Text:
    return Text(zh=f"没有作用：工单已结束（{ticket.state}）。", en=f"Nothing: the ticket has ended ({ticket.state}).")
