"""Every key that rke reads from cluster.yml (rke.md §1), as data. rke ignores other keys in silence; we refuse them.

A leaf is a `Kind`; a mapping with fixed keys is a dict; `Each` is a mapping with free keys; a list is `[item]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a scalar must be. Text takes any scalar, as rke does; `ANY` is a Kubernetes object that rke hands on."""

    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    NUMBER = "number"
    ANY = "any"


@dataclass(frozen=True)
class Each:
    """A mapping whose keys are the user's."""

    value: Any


TEXT, BOOL, INT, NUMBER, ANY = Kind.TEXT, Kind.BOOL, Kind.INT, Kind.NUMBER, Kind.ANY
_TEXTS = [TEXT]
_TEXT_MAP = Each(TEXT)


def _texts(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), TEXT)


def _of(kind: Any, names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), kind)


_SSH = {**_texts("ssh_key ssh_key_path ssh_cert ssh_cert_path"), "ssh_agent_auth": BOOL}
_TAINT = {**_texts("key value effect"), "timeAdded": ANY}

NODE: dict[str, Any] = {
    **_texts("nodeName address port internal_address hostname_override user docker_socket"),
    **_SSH,
    "role": _TEXTS,
    "labels": _TEXT_MAP,
    "taints": [_TAINT],
}

_SERVICE: dict[str, Any] = {
    "image": TEXT,
    **{f"{system}extra_args": _TEXT_MAP for system in ("", "win_")},
    **{f"{system}extra_args_array": Each(_TEXTS) for system in ("", "win_")},
    **{f"{system}{name}": _TEXTS for system in ("", "win_") for name in ("extra_binds", "extra_env")},
}

_ETCD = {
    **_SERVICE,
    **_texts("ca_cert cert key path retention creation"),
    "external_urls": _TEXTS,
    "snapshot": BOOL,
    **_of(INT, "uid gid"),
    "backup_config": {
        **_of(BOOL, "enabled safe_timestamp"),
        **_of(INT, "interval_hours retention timeout"),
        "s3backupconfig": _texts("access_key secret_key bucket_name region endpoint custom_ca folder"),
    },
}

_KUBE_API = {
    **_SERVICE,
    **_texts("service_cluster_ip_range service_node_port_range pod_security_configuration"),
    **_of(BOOL, "pod_security_policy always_pull_images"),
    "secrets_encryption_config": {"enabled": BOOL, "custom_config": ANY},
    "audit_log": {
        "enabled": BOOL,
        "configuration": {**_of(INT, "max_age max_backup max_size"), **_texts("path format"), "policy": ANY},
    },
    "admission_configuration": ANY,
    "event_rate_limit": {"enabled": BOOL, "configuration": ANY},
}

_SERVICES = {
    "etcd": _ETCD,
    "kube-api": _KUBE_API,
    "kube-controller": {**_SERVICE, **_texts("cluster_cidr service_cluster_ip_range")},
    "scheduler": _SERVICE,
    "kubelet": {
        **_SERVICE,
        **_texts("cluster_domain cluster_dns_server infra_container_image"),
        **_of(BOOL, "fail_swap_on generate_serving_certificate"),
    },
    "kubeproxy": _SERVICE,
}

_ACI = {
    **_texts(
        "acc_provision_operator_memory_limit acc_provision_operator_memory_request"
        " aci_containers_operator_memory_limit aci_containers_operator_memory_request"
        " aci_containers_controller_memory_limit aci_containers_controller_memory_request"
        " aci_containers_host_memory_limit aci_containers_host_memory_request aci_containers_memory_limit"
        " aci_containers_memory_request aci_multipod aci_multipod_ubuntu add_external_contract_to_default_epg"
        " add_external_subnets_to_rdconfig aep apic_connection_retry_limit apic_refresh_ticker_adjust"
        " apic_refresh_time apic_subscription_delay apic_user_crt apic_user_key apic_user_name capic"
        " controller_log_level dhcp_delay dhcp_renew_max_retry_count disable_hpp_rendering"
        " disable_periodic_snat_global_info_sync disable_wait_for_network drop_log_disable_events drop_log_enable"
        " duration_wait_for_network enable_endpoint_slice enable_opflex_agent_reconnect encap_type ep_registry"
        " extern_dynamic extern_static gbp_pod_subnet host_agent_log_level hpp_optimization image_pull_policy"
        " image_pull_secret infra_vlan install_istio istio_profile kafka_client_crt kafka_client_key kube_api_vlan"
        " l3out max_nodes_svc_graph mcast_daemon_memory_limit mcast_daemon_memory_request mcast_range_end"
        " mcast_range_start mtu_head_room multus_disable no_priority_class no_wait_for_service_ep_readiness"
        " node_pod_if_enable node_subnet node_svc_subnet opflex_agent_memory_limit opflex_agent_memory_request"
        " opflex_agent_opflex_asyncjson_enabled opflex_agent_ovs_asyncjson_enabled"
        " opflex_agent_policy_retry_delay_timer opflex_agent_statistics opflex_client_ssl opflex_device_delete_timeout"
        " opflex_device_reconnect_wait_timeout opflex_log_level opflex_mode opflex_openssl_compat opflex_server_port"
        " opflex_startup_enabled opflex_startup_policy_duration opflex_startup_resolve_aft_conn"
        " opflex_switch_sync_delay opflex_switch_sync_dynamic overlay_vrf_name ovs_memory_limit ovs_memory_request"
        " pbr_tracking_non_snat pod_subnet_chunk_size run_gbp_container run_opflex_server_container"
        " service_graph_endpoint_add_delay service_monitor_interval service_vlan sleep_time_snat_global_info_sync"
        " snat_contract_scope snat_namespace snat_port_range_end snat_port_range_start snat_ports_per_node sriov_enable"
        " subnet_domain_name system_id taint_not_ready_node tenant token toleration_seconds unknown_mac_unicast_action"
        " use_aci_anywhere_crd"
        " use_aci_cni_priority_class use_cluster_role use_host_netns_volume use_opflex_server_volume"
        " use_privileged_container use_system_node_priority_class vmm_controller vmm_domain vrf_name vrf_tenant"
    ),
    **_of(_TEXTS, "apic_hosts kafka_brokers l3out_external_networks"),
    **_of([_TEXT_MAP], "node_snat_redirect_exclude service_graph_endpoint_add_services"),
}

_ROLLING = {"strategy": TEXT, "rollingUpdate": ANY, "rollingupdate": ANY}

_NETWORK = {
    **_texts("plugin"),
    "options": _TEXT_MAP,
    "mtu": INT,
    "node_selector": _TEXT_MAP,
    "update_strategy": _ROLLING,
    "tolerations": ANY,
    "calico_network_provider": _texts("cloudprovider"),
    "canal_network_provider": _texts("iface"),
    "flannel_network_provider": _texts("iface"),
    "weave_network_provider": _texts("password"),
    "aci_network_provider": _ACI,
}

_INGRESS = {
    **_texts("provider dns_policy network_mode default_http_backend_priority_class_name"),
    **_texts("nginx_ingress_controller_priority_class_name"),
    **_of(_TEXT_MAP, "options node_selector extra_args"),
    **_of(ANY, "extra_envs extra_volumes extra_volume_mounts tolerations"),
    **_of(INT, "http_port https_port"),
    **_of(BOOL, "default_backend default_ingress_class"),
    "update_strategy": _ROLLING,
}

_DNS = {
    "provider": TEXT,
    **_of(_TEXTS, "upstreamnameservers reversecidrs"),
    "stubdomains": Each(_TEXTS),
    **_of(_TEXT_MAP, "node_selector options"),
    "nodelocal": {
        **_texts("ip_address node_local_dns_priority_class_name"),
        "node_selector": _TEXT_MAP,
        "update_strategy": _ROLLING,
    },
    "update_strategy": _ROLLING,
    "linear_autoscaler_params": {
        **_of(NUMBER, "cores_per_replica nodes_per_replica"),
        **_of(INT, "min max"),
        "prevent_single_point_failure": BOOL,
    },
    "tolerations": ANY,
}

_MONITORING = {
    **_texts("provider metrics_server_priority_class_name"),
    **_of(_TEXT_MAP, "options node_selector"),
    "update_strategy": _ROLLING,
    "replicas": INT,
    "tolerations": ANY,
}

_AWS = {
    "global": {
        **_texts("zone vpc subnet-id routetable-id role-arn kubernetes-cluster-tag kubernetes-cluster-id"),
        "elb-security-group": TEXT,
        **_of(BOOL, "disable-security-group-ingress disable-strict-zone-check"),
    },
    "service_override": Each(_texts("service region url signing-region signing-method signing-name")),
}

_AZURE = {
    **_texts(
        "cloud tenantId subscriptionId resourceGroup location vnetName vnetResourceGroup subnetName securityGroupName"
        " securityGroupResourceGroup routeTableName primaryAvailabilitySetName vmType primaryScaleSetName aadClientId"
        " aadClientSecret aadClientCertPath aadClientCertPassword userAssignedIdentityID loadBalancerSku tags"
    ),
    **_of(BOOL, "cloudProviderBackoff cloudProviderRateLimit useInstanceMetadata useManagedIdentityExtension"),
    "excludeMasterFromStandardLB": BOOL,
    **_of(INT, "cloudProviderBackoffRetries cloudProviderBackoffExponent cloudProviderBackoffDuration"),
    **_of(INT, "cloudProviderBackoffJitter cloudProviderRateLimitQPS cloudProviderRateLimitBucket"),
    "maximumLoadBalancerRuleCount": INT,
}

_OPENSTACK = {
    "global": _texts(
        "auth-url username user-id password tenant-id tenant-name trust-id domain-id domain-name region ca-file"
    ),
    "load_balancer": {
        **_texts("lb-version subnet-id floating-network-id lb-method lb-provider monitor-delay monitor-timeout"),
        **_of(BOOL, "use-octavia create-monitor manage-security-groups"),
        "monitor-max-retries": INT,
    },
    "block_storage": {"bs-version": TEXT, **_of(BOOL, "trust-device-path ignore-volume-az")},
    "route": _texts("router-id"),
    "metadata": {"search-order": TEXT, "request-timeout": INT},
}

_VSPHERE = {
    "global": {
        **_texts("user password server port datacenter datacenters datastore working-dir vm-uuid vm-name"),
        "insecure-flag": BOOL,
        "soap-roundtrip-count": INT,
    },
    "virtual_center": Each({**_texts("user password port datacenters"), "soap-roundtrip-count": INT}),
    "network": _texts("public-network"),
    "disk": _texts("scsicontrollertype"),
    "workspace": _texts("server datacenter folder default-datastore resourcepool-path"),
}

_CLOUD = {
    **_texts("name customCloudProvider"),
    "useInstanceMetadataHostname": BOOL,
    "awsCloudProvider": _AWS,
    "azureCloudProvider": _AZURE,
    "openstackCloudProvider": _OPENSTACK,
    "vsphereCloudProvider": _VSPHERE,
    "harvesterCloudProvider": _texts("cloud_config"),
}

_SYSTEM_IMAGES = _texts(
    "etcd alpine nginx_proxy cert_downloader kubernetes_services_sidecar kubedns dnsmasq kubedns_sidecar"
    " kubedns_autoscaler coredns coredns_autoscaler nodelocal kubernetes flannel flannel_cni calico_node calico_cni"
    " calico_controllers calico_ctl calico_flexvol canal_node canal_cni canal_controllers canal_flannel canal_flexvol"
    " weave_node weave_cni pod_infra_container ingress ingress_backend ingress_webhook metrics_server"
    " windows_pod_infra_container aci_cni_deploy_container aci_host_container aci_opflex_container"
    " aci_mcast_container aci_ovs_container aci_controller_container aci_gbp_server_container"
    " aci_opflex_server_container"
)

CLUSTER: dict[str, Any] = {
    "nodes": [NODE],
    "services": _SERVICES,
    "network": _NETWORK,
    "authentication": {"strategy": TEXT, "sans": _TEXTS, "webhook": _texts("config_file cache_timeout")},
    "authorization": {"mode": TEXT, "options": _TEXT_MAP},
    "addons": TEXT,
    "addons_include": _TEXTS,
    "system_images": _SYSTEM_IMAGES,
    **_texts("ssh_key_path ssh_cert_path kubernetes_version cluster_name prefix_path win_prefix_path"),
    **_of(BOOL, "ssh_agent_auth ignore_docker_version enable_cri_dockerd rotate_encryption_key"),
    "private_registries": [
        {
            **_texts("url user password"),
            "is_default": BOOL,
            "ecr_credential_plugin": _texts("aws_access_key_id aws_secret_access_key aws_session_token"),
        }
    ],
    "ingress": _INGRESS,
    "dns": _DNS,
    "monitoring": _MONITORING,
    "cloud_provider": _CLOUD,
    "addon_job_timeout": INT,
    "bastion_host": {**_texts("address port user"), **_SSH, "ignore_proxy_env_vars": BOOL},
    "restore": {"restore": BOOL, "snapshot_name": TEXT},
    "rotate_certificates": {"cacertificates": BOOL, "services": _TEXTS},
    "upgrade_strategy": {
        **_texts("max_unavailable_worker max_unavailable_controlplane"),
        "drain": BOOL,
        "node_drain_input": {
            **_of(BOOL, "force ignore_daemonsets delete_local_data"),
            **_of(INT, "grace_period timeout"),
        },
    },
    **_texts("cri_dockerd_stream_server_address cri_dockerd_stream_server_port"),
}
