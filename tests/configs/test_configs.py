from __future__ import annotations

import json
import threading
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.clusters.models import Cluster
from autorke.configs import compare, masking, service
from autorke.configs.errors import CaChanged, StaleParent, UnexpectedNodes
from autorke.configs.models import ConfigRevision, Reason, StateRevision
from autorke.core import crypto, db
from autorke.core.errors import AutoRkeError, NotFound
from autorke.core.settings import get_settings
from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.diff import MASK
from autorke.drivers.rkefiles.errors import RkeFileError
from tests.clusters.make import ADDRESSES
from tests.clusters.make import text as fixture_text

CA = "e0c2aa1287c9dd6ea7f939c7443f0dbbdce93d45a8304c82966ff920dacc1ac8"
YML = fixture_text("cluster.yml")
STATE = fixture_text("cluster.rkestate")
WITH_SECRETS = (
    YML
    + """# 注释 stays
private_registries:
- url: registry.example
  user: puller
  password: "S3cret-registry"   # trailing comment
services:
  etcd:
    backup_config:
      s3backupconfig: {bucket_name: snaps, access_key: AKIA-secret, secret_key: 'shh-secret'}
  kubelet:
    extra_env:
    - HTTP_PROXY=http://proxy.example
    - REGISTRY_PASSWORD=env-secret
cloud_provider:
  name: openstack
  openstackCloudProvider:
    global: {username: cloud-user, password: cloud-secret}
bastion_host:
  address: 10.0.0.1
  ssh_key: |
    -----BEGIN RSA PRIVATE KEY-----
    bastion-secret
    -----END RSA PRIVATE KEY-----
addons: |-
  kind: Secret
  data: {a: addon-secret}
"""
)
SECRETS = (
    "S3cret-registry", "AKIA-secret", "shh-secret", "env-secret", "cloud-secret", "bastion-secret", "addon-secret",
)  # fmt: skip


@pytest.fixture
def cluster_id(configured_db: Engine, secret_key: str) -> UUID:
    with db.transaction() as session:
        cluster = Cluster(name="prod-a", kubernetes_version="v1.20.15", ca_fingerprint=CA, api_url="")
        session.add(cluster)
        session.flush()
        return cluster.id


def _config(session: Session, cluster_id: UUID, content: str = YML, **changes: Any) -> ConfigRevision:
    values: dict[str, Any] = {"reason": Reason.IMPORT, "created_by": "wei", "expected_nodes": ADDRESSES, **changes}
    return service.add_config(session, cluster_id=cluster_id, cluster=read_cluster_yml(content), **values)


def _state(session: Session, cluster_id: UUID, content: str = STATE, **changes: Any) -> StateRevision:
    values: dict[str, Any] = {
        "reason": Reason.IMPORT, "created_by": "wei", "expected_nodes": ADDRESSES, "ca_fingerprint": CA, **changes,
    }  # fmt: skip
    return service.add_state(session, cluster_id=cluster_id, content=content, **values)


def test_revisions_are_numbered_sealed_and_read_back(session: Session, cluster_id: UUID) -> None:
    first, second = _config(session, cluster_id), _config(session, cluster_id, WITH_SECRETS, parent=1)
    assert ((first.number, first.parent), (second.number, second.parent)) == ((1, None), (2, 1))
    assert service.current(session, ConfigRevision, cluster_id).number == 2
    assert service.open_text(service.get(session, ConfigRevision, cluster_id, 1)) == YML
    assert service.open_text(second) == WITH_SECRETS
    for secret in SECRETS:
        assert secret.encode() not in second.content
    with pytest.raises(NotFound):
        service.get(session, ConfigRevision, cluster_id, 3)
    with pytest.raises(NotFound):
        service.current(session, StateRevision, cluster_id)


def test_a_revision_made_from_an_old_one_is_refused(session: Session, cluster_id: UUID) -> None:
    _config(session, cluster_id)
    for parent in (None, 2):
        with pytest.raises(StaleParent):
            _config(session, cluster_id, parent=parent)


def test_numbers_have_no_gap_when_many_write_at_once(cluster_id: UUID) -> None:
    start, outcomes = threading.Barrier(6), []

    def write() -> None:
        start.wait()
        while True:
            with db.transaction() as session:
                newest = session.execute(text("select max(number) from config_revision")).scalar()
            try:
                with db.transaction() as session:
                    _config(session, cluster_id, parent=newest)
            except StaleParent:
                continue
            outcomes.append("written")
            return

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with db.transaction() as session:
        numbers = session.execute(text("select number from config_revision order by 1")).scalars().all()
    assert numbers == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("expected", [ADDRESSES[:2], (*ADDRESSES, "127.0.0.99"), ()])
def test_a_file_with_other_nodes_than_expected_is_refused(
    session: Session, cluster_id: UUID, expected: tuple[str, ...]
) -> None:
    for add in (_config, _state):
        with pytest.raises(UnexpectedNodes):
            add(session, cluster_id, expected_nodes=expected)


def test_a_state_of_another_ca_is_refused(session: Session, cluster_id: UUID) -> None:
    with pytest.raises(CaChanged):
        _state(session, cluster_id, fixture_text("other-ca.rkestate"))


@pytest.mark.parametrize("name", ["truncated.rkestate", "cluster.yml"])
def test_a_state_that_is_none_is_refused(session: Session, cluster_id: UUID, name: str) -> None:
    with pytest.raises(RkeFileError):
        _state(session, cluster_id, fixture_text(name))


@pytest.mark.parametrize(
    "statement",
    [
        "update config_revision set number = 9",
        "update config_revision set content = '', sha256 = 'x'",
        "update config_revision set created_by = 'somebody else'",
        "delete from config_revision",
        "update state_revision set reason = 'after'",
        "delete from state_revision",
    ],
)
def test_the_database_refuses_to_change_a_revision(session: Session, cluster_id: UUID, statement: str) -> None:
    _config(session, cluster_id)
    _state(session, cluster_id)
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(statement))


def test_a_swapped_or_altered_content_does_not_open(session: Session, cluster_id: UUID) -> None:
    first, second = _config(session, cluster_id), _config(session, cluster_id, WITH_SECRETS, parent=1)
    for content in (second.content, first.content[:-1] + b"x"):
        session.execute(text("update config_revision set content = :c where number = 1"), {"c": content})
        session.refresh(first)
        with pytest.raises(crypto.EnvelopeBroken):
            service.open_text(first)


def test_revisions_move_under_a_new_key(session: Session, cluster_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    _config(session, cluster_id)
    _state(session, cluster_id)
    old = get_settings().secret_key
    assert old is not None
    monkeypatch.setenv("AUTORKE_SECRET_KEY", f"{crypto.new_key()}\n{old.get_secret_value()}")
    get_settings.cache_clear()
    assert service.rewrap(session) == 2
    assert service.rewrap(session) == 0
    monkeypatch.setenv("AUTORKE_SECRET_KEY", get_settings().secret_key.get_secret_value().split("\n")[0])  # type: ignore[union-attr]
    get_settings.cache_clear()
    assert service.open_text(service.current(session, ConfigRevision, cluster_id)) == YML


def test_masked_yaml_keeps_everything_but_the_secrets() -> None:
    masked = masking.mask_yaml(WITH_SECRETS)
    for secret in SECRETS:
        assert secret not in masked
    for kept in (
        "# 注释 stays",
        "# trailing comment",
        "puller",
        "snaps",
        "HTTP_PROXY=http://proxy.example",
        "openstack",
    ):
        assert kept in masked
    assert masked.startswith(YML)
    assert f'password: "{MASK}"   # trailing comment' in masked


def test_masked_yaml_is_still_the_same_cluster() -> None:
    assert read_cluster_yml(masking.mask_yaml(WITH_SECRETS)).nodes == read_cluster_yml(WITH_SECRETS).nodes
    assert masking.mask_yaml(YML) == YML


def test_taints_are_not_secrets() -> None:
    tainted = YML + "  \n".join(["network:", "  tolerations:", "  - {key: gpu, operator: Exists}", ""])
    assert "key: gpu" in masking.mask_yaml(tainted)


def test_masked_state_holds_no_key_and_no_kubeconfig() -> None:
    document = json.loads(STATE)
    bundle = document["currentState"]["certificatesBundle"]
    bundle["kube-ca"]["keyPEM"] = "-----BEGIN RSA PRIVATE KEY-----\nca-secret\n-----END RSA PRIVATE KEY-----\n"
    document["currentState"]["rkeConfig"]["privateRegistries"] = [{"url": "r", "user": "u", "password": "S3cret-reg"}]
    masked = masking.mask_state(json.dumps(document))
    for secret in ("ca-secret", "S3cret-reg", "client-key-data"):
        assert secret not in masked
    shown = json.loads(masked)
    assert shown["currentState"]["certificatesBundle"]["kube-ca"]["certificatePEM"].startswith("-----BEGIN")


def test_comparison_by_meaning_and_by_line() -> None:
    changed = WITH_SECRETS.replace("S3cret-registry", "N3w-registry").replace(
        "ssh_key_path: /lab/id_rsa", "ssh_key_path: /lab/id_rsa\nprefix_path: /opt/rke"
    )
    changed = changed.replace(
        "- address: 127.0.0.22\n", "- address: 127.0.0.23\n  user: root\n  role: [worker]\n- address: 127.0.0.22\n"
    )
    found = compare.compare_configs(WITH_SECRETS, changed, labels=("#1", "#2"))
    assert found.added_nodes == ("127.0.0.23 (127.0.0.23): worker",)
    settings = {item.path: (item.before, item.after, item.danger is not None) for item in found.settings}
    assert settings["private_registries[0].password"] == (MASK, MASK, True)
    assert settings["prefix_path"] == (None, "/opt/rke", True)
    assert "+prefix_path: /opt/rke" in found.text
    assert not [line for line in found.text if any(secret in line for secret in (*SECRETS, "N3w-registry"))]


def test_change_of_one_label_shows_one_line() -> None:
    labelled = YML.replace("  hostname_override: w1\n", "  hostname_override: w1\n  labels: {zone: a}\n")
    other = labelled.replace("zone: a", "zone: b")
    found = compare.compare_configs(labelled, other, labels=("#1", "#2"))
    assert [item.path for item in found.settings] == ["nodes[127.0.0.21].labels"]
    assert [line for line in found.text if line[0] in "+-" and line[1:3] not in ("++", "--")] == [
        "-  labels: {zone: a}", "+  labels: {zone: b}",
    ]  # fmt: skip


def test_comparison_of_states_names_nodes_settings_and_certificates() -> None:
    document = json.loads(STATE)
    current = document["currentState"]
    current["rkeConfig"]["nodes"] = current["rkeConfig"]["nodes"][:2]
    current["rkeConfig"]["addonJobTimeout"] = 99
    current["certificatesBundle"]["kube-kubelet-10-0-0-9"] = dict(current["certificatesBundle"]["kube-node"])
    found = compare.compare_states(STATE, json.dumps(document), labels=("#1", "#2"))
    assert found.removed_nodes == ("w2 (127.0.0.22): worker",)
    settings = {item.path: (item.before, item.after) for item in found.settings}
    assert settings["certificatesBundle.kube-kubelet-10-0-0-9"] == (None, "issued")
    assert settings["addonJobTimeout"][1] == 99


def test_every_refusal_explains_itself(session: Session, cluster_id: UUID) -> None:
    with pytest.raises(AutoRkeError) as refused:
        _config(session, cluster_id, "nodes: {")
    assert refused.value.hint.zh
    assert refused.value.field
