"""The wizard over the API: see the whole change, run its checks, and only then submit."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request

from autorke.tickets import wizard
from autorke.tickets.wizard_schemas import AskIn, PreviewOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web import jobs, sse
from autorke.web.deps import SessionDep

router = APIRouter(prefix="/flows/{name}", tags=["tickets"])
Creator = Annotated[Actor, allowed("ticket:create")]


@router.post("/preview", response_model=PreviewOut)
def preview_ticket(name: str, body: AskIn, actor: Creator, session: SessionDep) -> dict[str, Any]:
    """The ticket that a submit would make: targets, change of cluster.yml, commands, steps with gates, who may sign.

    Nothing is reserved and no machine is connected to. The request as a whole is refused like a submit; a target that
    a submit would refuse is listed with its reason.
    """
    return wizard.preview(session, actor, name, body.request)


@router.post("/checks", response_class=sse.EventStream)
def run_checks(name: str, body: AskIn, actor: Creator, session: SessionDep, request: Request) -> jobs.JobStream:
    """Run the checks of the flow now, read-only, and stream the results.

    `start`: `{cluster, checks: [{id, title, scope}], machines: [{machine_id, hostname, eligible}]}`. `check`, once for
    the cluster (`machine_id` null) and for each machine as it answers, a second time for what another machine of the
    request contradicts: `{machine_id, hostname, results: [{check, state, message, remedy}]}` with state ok, failed,
    warning or skipped. `end`: `{cluster, machines: {state: n}, results: {state: n}, seconds}`. `problem` ends it early.
    A client that goes away stops the work.
    """
    give_back = wizard.turns.take(actor.user_id)
    try:
        flow, form, proposal = wizard.propose(session, actor, name, body.request)
        wizard.count(session, actor, proposal)
        session.commit()  # on the record before anything is opened
    except BaseException:
        give_back()
        raise
    return jobs.stream(request, wizard.checks(actor, flow, form, proposal), done=give_back)
