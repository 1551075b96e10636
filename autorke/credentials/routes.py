"""Credentials over the API: write-only secrets with a shown side."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from autorke.core.schemas import Page
from autorke.credentials import service
from autorke.credentials.models import Credential
from autorke.credentials.schemas import CredentialIn, CredentialOut, CredentialPatch, ReplaceIn
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Column, Slice, page

router = APIRouter(prefix="/credentials", tags=["credentials"])

Reader = Annotated[Actor, allowed("credential:read", everywhere=True)]
Writer = Annotated[Actor, allowed("credential:write", everywhere=True)]

COLUMNS = {
    "name": Column(Credential.name),
    "kind": Column(Credential.kind),
    "note": Column(Credential.note),
    "user": Column(Credential.public["user"].astext),
    "fingerprint": Column(Credential.public["fingerprint"].astext),
    "version": Column(Credential.version, int),
    "created_by": Column(Credential.created_by, UUID),
    "created_at": Column(Credential.created_at, datetime),
    "updated_at": Column(Credential.updated_at, datetime),
    "used_at": Column(Credential.used_at, datetime),
}


@router.get("", response_model=Page[CredentialOut])
def list_credentials(_actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """What there is, without the secrets."""
    return page(session, select(Credential), COLUMNS, query, key=Credential.id, default_sort="name")


@router.post("", response_model=CredentialOut, status_code=201)
def create_credential(body: CredentialIn, actor: Writer, session: SessionDep) -> Credential:
    """Store a secret. A private key is checked, and its public key and fingerprint are shown from then on."""
    material = body.secret.material()
    return service.create(
        session, actor=actor, name=body.name, note=body.note, kind=body.secret.kind, material=material
    )


@router.get("/{credential_id}", response_model=CredentialOut)
def get_credential(credential_id: UUID, _actor: Reader, session: SessionDep) -> Credential:
    """One credential, without its secret."""
    return service.get(session, credential_id)


@router.patch("/{credential_id}", response_model=CredentialOut)
def describe_credential(credential_id: UUID, body: CredentialPatch, actor: Writer, session: SessionDep) -> Credential:
    """Change name or note."""
    changes = {name: value for name, value in body.model_dump().items() if value is not None}
    return service.describe(session, credential_id, actor=actor, changes=changes)


@router.put("/{credential_id}/secret", response_model=CredentialOut)
def replace_secret(credential_id: UUID, body: ReplaceIn, actor: Writer, session: SessionDep) -> Credential:
    """Put a new secret of the same kind in the place of the version you saw."""
    material = body.secret.material()
    return service.replace_secret(
        session, credential_id, actor=actor, version=body.version, kind=body.secret.kind, material=material
    )


@router.delete("/{credential_id}", status_code=204)
def delete_credential(credential_id: UUID, actor: Writer, session: SessionDep) -> None:
    """Refused while a machine, a cluster or a CMDB source still uses it."""
    service.remove(session, credential_id, actor=actor)
