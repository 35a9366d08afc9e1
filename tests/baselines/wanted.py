"""What the baseline of 2024 was agreed to require, written down apart from the files that require it."""

from __future__ import annotations

from typing import Any

ATTRIBUTES = ["location", "device_health", "risk", "time", "behaviour"]
MODES = ["enforced", "no_password"]
DECISIONS = ["policy_decision", "dynamic_attributes"]
BOUND = ["fido2_bound", "smart_card", "platform_bound", "otp_hardware"]

# address: (check, need, oldest evidence in days, parameters)
WANTED: dict[str, tuple[str, float, int, dict[str, Any]]] = {
    "1-1/mfa-enforced": ("identity.multi_factor.second_factor_is_enforced", 1.0, 7, {"modes": MODES}),
    "1-1/legacy-blocked": ("identity.multi_factor.legacy_protocols_are_blocked", 1.0, 7, {}),
    "1-1/factor-forgotten": ("identity.multi_factor.passed_factor_is_soon_forgotten", 1.0, 7, {"hours": 24}),
    "1-1/keys-refused": ("identity.multi_factor.access_keys_need_second_factor", 1.0, 7, {}),
    "1-1/root-protected": (
        "identity.multi_factor.root_user_has_second_factor", 1.0, 7, {"kinds": ["virtual", "hardware"]},
    ),
    "1-2/phishing-resistant": (
        "identity.phishing_resistance.usable_authenticators_resist_phishing", 1.0, 7,
        {"methods": ["fido2_bound", "fido2_synced", "smart_card", "platform_bound", "otp_hardware"]},
    ),
    "1-2/bound-carrier": (
        "identity.phishing_resistance.authenticator_is_bound_to_carrier", 1.0, 7, {"carriers": BOUND},
    ),
    "1-3/external-assurance": (
        "identity.external_users.external_users_meet_internal_assurance", 1.0, 7, {"modes": MODES},
    ),
    "1-3/external-expiry": ("identity.external_users.external_accounts_end", 1.0, 7, {}),
    "1-3/trusts-filtered": ("identity.external_users.trusts_filter_and_select", 1.0, 7, {}),
    "1-3/roles-guarded": ("identity.external_users.foreign_roles_are_guarded", 1.0, 7, {}),
    "1-4/application-assurance": ("identity.interoperability.application_demands_assurance", 1.0, 30, {}),
    "1-5/dynamic-conditions": (
        "identity.dynamic_access.sign_in_weighs_dynamic_attributes", 1.0, 7, {"attributes": ATTRIBUTES},
    ),
    "1-5/revocable": ("identity.dynamic_access.running_session_can_be_revoked", 1.0, 7, {"minutes": 60}),
    "1-6/logs-arrive": ("identity.event_logs.identity_events_arrive", 1.0, 7, {"hours": 24}),
    "1-6/logs-judged": ("identity.event_logs.identity_events_are_judged", 1.0, 7, {"rules": 1}),
    "1-6/logs-carry-decisions": (
        "identity.event_logs.identity_events_carry_decisions", 1.0, 7, {"carries": DECISIONS},
    ),
    "1-7/leavers-disabled": (
        "identity.account_lifecycle.leaver_account_is_disabled_in_time", 1.0, 7, {"hours": 24},
    ),
    "1-7/dormant-disabled": ("identity.account_lifecycle.dormant_account_is_disabled", 1.0, 7, {"days": 90}),
    "1-7/keys-fresh": ("identity.account_lifecycle.access_keys_are_renewed", 1.0, 7, {"days": 90}),
    "1-7/service-secrets-fresh": (
        "identity.account_lifecycle.service_secrets_are_renewed", 1.0, 7, {"days": 365},
    ),
    "1-7/password-required": ("identity.account_lifecycle.password_is_required", 1.0, 7, {}),
    "1-7/no-residual-privilege": ("identity.account_lifecycle.former_privilege_is_removed", 1.0, 7, {}),
    "2-1/hardware-identity": (
        "device.inventory.device_has_hardware_identity", 1.0, 7, {"anchors": ["tpm", "secure_enclave"]},
    ),
    "2-1/identity-unique": ("device.inventory.device_identity_is_its_own", 1.0, 7, {}),
    "2-1/managed": ("device.inventory.device_is_managed", 1.0, 7, {"days": 14}),
    "2-1/ports-authenticated": ("device.inventory.access_ports_demand_dot1x", 1.0, 30, {}),
    "2-2/patched": ("device.compliance.security_updates_are_installed", 0.95, 7, {"days": 30}),
    "2-2/flaws-repaired": (
        "device.compliance.published_flaws_are_repaired_in_time", 0.95, 7,
        {"severities": ["critical", "high"], "days": 30},
    ),
    "2-2/state-reported": ("device.compliance.state_is_reported_without_silence", 0.95, 7, {}),
    "2-2/os-supported": ("device.compliance.operating_system_is_supported", 1.0, 7, {}),
    "2-2/policy-met": ("device.compliance.compliance_policy_is_assigned_and_met", 1.0, 7, {}),
    "2-2/disk-encrypted": ("device.compliance.fixed_volumes_are_encrypted", 1.0, 7, {}),
    "2-2/host-firewall": ("device.compliance.host_firewall_denies_inbound", 1.0, 7, {}),
    "2-2/secure-boot": ("device.compliance.secure_boot_is_enabled", 1.0, 7, {}),
    "2-2/sessions-locked": ("device.compliance.idle_sessions_are_locked", 0.95, 7, {"minutes": 15}),
    "2-2/storage-refused": ("device.compliance.unlisted_storage_is_refused", 0.95, 7, {}),
    "2-2/signatures-fresh": ("device.compliance.protection_signatures_are_fresh", 1.0, 7, {"days": 7}),
    "2-3/external-baseline-or-relay": (
        "device.external_devices.external_device_meets_baseline_or_uses_relay", 1.0, 7, {},
    ),
    "2-4/health-gates-access": (
        "device.resource_access.device_health_is_a_condition", 1.0, 7, {"gates": ["every_session"]},
    ),
    "2-5/detection-blocks": (
        "device.threat_protection.detection_blocks_and_cannot_be_stopped", 1.0, 7, {},
    ),
    "2-6/device-logs-arrive": ("device.event_logs.device_events_arrive", 0.95, 7, {"hours": 24}),
    "2-6/device-logs-judged": ("device.event_logs.device_events_are_judged", 1.0, 7, {"rules": 1}),
    "2-6/device-logs-carry": ("device.event_logs.device_events_carry_decisions", 1.0, 7, {"carries": DECISIONS}),
    "2-7/drift-repaired": ("device.lifecycle.configuration_drift_is_repaired", 1.0, 7, {}),
    "3-1/border-denies": ("network.segmentation.border_denies_by_default", 1.0, 30, {}),
    "3-1/no-open-rule": ("network.segmentation.no_rule_admits_everything", 1.0, 30, {}),
    "3-1/rules-used": ("network.segmentation.rules_carry_traffic", 1.0, 30, {"days": 180}),
    "3-1/peers-restricted": ("network.segmentation.peers_are_restricted", 1.0, 30, {}),
    "3-1/hosts-closed": (
        "network.segmentation.administration_is_closed_to_peers", 1.0, 7,
        {"ports": [22, 23, 135, 139, 445, 2049, 3389, 5900, 5985, 5986]},
    ),
    "3-2/microsegmented": ("network.microsegmentation.boundary_is_enforced", 1.0, 30, {}),
    "3-3/flows-exported": ("network.traffic.flows_are_exported_on_every_interface", 1.0, 30, {}),
    "3-4/path-encrypted": (
        "network.encryption.every_hop_is_encrypted", 1.0, 30, {"protections": ["1.2", "1.3", "ipsec", "ssh"]},
    ),
    "3-4/management-encrypted": ("network.encryption.management_is_encrypted", 1.0, 30, {}),
    "3-4/directory-signed": ("network.encryption.directory_demands_signing", 1.0, 7, {}),
    "3-4/stores-refuse-clear-text": ("network.encryption.stores_refuse_clear_transport", 1.0, 7, {}),
    "3-5/failover-tracked": ("network.resilience.failover_follows_measured_state", 1.0, 30, {}),
    "3-6/network-logs-arrive": ("network.event_logs.network_events_arrive", 1.0, 30, {"hours": 24}),
    "3-6/network-clock": ("network.event_logs.clock_is_synchronised", 1.0, 30, {}),
    "3-6/network-logs-judged": ("network.event_logs.network_events_are_judged", 1.0, 7, {"rules": 1}),
    "3-6/network-logs-carry": ("network.event_logs.network_events_carry_decisions", 1.0, 7, {"carries": DECISIONS}),
    "3-7/repository-followed": ("network.governance.running_configuration_follows_repository", 1.0, 30, {}),
    "4-1/admin-apart": ("application.duties.privileged_account_is_not_for_daily_work", 1.0, 7, {}),
    "4-1/roles-separated": ("application.duties.roles_are_separated", 1.0, 30, {}),
    "4-1/administrators-counted": ("application.duties.full_administrators_are_few", 1.0, 7, {"count": 3}),
    "4-1/root-idle": ("application.duties.root_user_is_not_used", 1.0, 7, {"days": 90}),
    "4-1/local-administrators": ("application.duties.local_administrators_are_personal", 1.0, 7, {}),
    "4-2/just-in-time": ("application.just_in_time.privilege_is_activated_when_needed", 1.0, 7, {"hours": 8}),
    "4-2/activation-approved": ("application.just_in_time.activation_is_approved", 1.0, 7, {}),
    "4-3/filtered": ("application.threat_protection.requests_are_filtered_at_every_entry", 1.0, 30, {}),
    "4-3/abnormal-revokes": ("application.threat_protection.abnormal_operation_revokes", 1.0, 30, {}),
    "4-4/build-tested": ("application.security_testing.deployed_build_was_tested", 1.0, 30, {"days": 365}),
    "4-4/no-open-high": ("application.security_testing.no_high_finding_is_open_or_waived", 1.0, 30, {}),
    "4-5/pipeline-only": ("application.delivery.changes_go_through_pipeline", 1.0, 30, {}),
    "4-5/changes-reviewed": ("application.delivery.changes_are_reviewed", 1.0, 30, {}),
    "4-6/application-logs-arrive": ("application.event_logs.application_events_arrive", 1.0, 30, {"hours": 24}),
    "4-6/application-logs-carry": (
        "application.event_logs.application_events_carry_decisions", 1.0, 30,
        {"carries": ["who", "what", "when", "result", "policy_decision", "privileged_operations"]},
    ),
    "4-6/application-logs-judged": ("application.event_logs.application_events_are_judged", 1.0, 7, {"rules": 1}),
    "4-7/retired-gone": ("application.lifecycle.retired_application_is_gone", 1.0, 30, {}),
    "4-7/dependency-gate": ("application.lifecycle.dependency_gate_cannot_be_skipped", 1.0, 30, {}),
    "5-1/leak-prevention": (
        "data.leak_prevention.device_policy_is_enforced", 1.0, 7, {"channels": ["mail", "web", "removable_storage"]},
    ),
    "5-1/stores-closed": ("data.leak_prevention.stores_are_closed_to_the_public", 1.0, 7, {}),
    "5-2/leak-blocked": ("data.leakage.suspected_leak_is_blocked", 1.0, 30, {}),
    "5-2/export-watched": ("data.leakage.bulk_export_is_watched", 1.0, 30, {}),
    "5-3/classified": ("data.classification.label_follows_content", 1.0, 30, {}),
    "5-3/inventoried": ("data.classification.content_is_inventoried_and_owned", 1.0, 30, {"days": 365}),
    "5-4/survives-locally": ("data.availability.store_survives_local_failure", 1.0, 30, {}),
    "5-4/off-site": ("data.availability.backup_lies_elsewhere_out_of_reach", 1.0, 30, {}),
    "5-4/restored": ("data.availability.restore_was_tested", 1.0, 30, {"days": 365}),
    "5-5/data-conditions": ("data.access.dynamic_attributes_decide", 1.0, 30, {"attributes": ATTRIBUTES}),
    "5-5/reader-proves-again": ("data.access.reader_authenticates_again", 1.0, 30, {}),
    "5-6/encrypted": ("data.encryption.sensitive_content_is_encrypted", 1.0, 30, {"layers": ["store", "field"]}),
    "5-6/endpoints-encrypted": ("device.compliance.fixed_volumes_are_encrypted", 1.0, 7, {}),
    "5-6/keys-held": ("data.encryption.keys_are_held_by_institution", 1.0, 30, {}),
    "5-7/data-logs-arrive": ("data.event_logs.data_events_arrive", 1.0, 30, {"hours": 24}),
    "5-7/data-logs-carry": (
        "data.event_logs.data_events_carry_access", 1.0, 30, {"carries": ["who", "data_access"]},
    ),
    "5-7/data-logs-judged": ("data.event_logs.data_events_are_judged", 1.0, 7, {"rules": 1}),
    "5-8/retention": ("data.lifecycle.retention_executes", 1.0, 30, {"days": 35}),
}  # fmt: skip

_ATTESTED = """1-1/covered-entrances 1-1/keys-none 1-1/no-cloud-account 1-2/token-ledger 1-3/assurance-table
1-3/no-cloud-account 1-4/mechanism-table 1-5/attribute-matrix 1-7/keys-none 1-7/lifecycle-automation
2-1/unmanaged-rule 2-2/repair-times 2-3/vendor-declaration 2-4/health-criteria 2-7/policy-trace 3-1/zone-matrix
3-2/boundary-change 3-3/dependency-map 3-7/change-trace 4-1/no-cloud-account 4-1/no-root-user 4-1/role-matrix
4-4/test-report 4-5/release-rule 4-7/lifecycle-automation 5-1/sensitive-definition 5-3/data-inventory
5-4/recovery-objectives 5-6/key-custody 5-8/lifecycle-automation"""
_EXERCISED = """1-5/revocation-drill 2-4/isolation-drill 2-5/response-drill 3-5/failover-drill 4-2/session-drill
4-3/revocation-drill 5-2/leakage-drill 5-5/reauthentication-drill"""
_REVIEWED = "1-6/log-review 2-6/log-review 3-6/log-review 4-6/log-review 5-7/log-review"
DOCUMENTS: dict[str, str] = {
    **dict.fromkeys(_ATTESTED.split(), "attestation"),
    **dict.fromkeys(_EXERCISED.split(), "drill"),
    **dict.fromkeys(_REVIEWED.split(), "review"),
}
GATES = {
    "II/protect-surface",
    "II/data-flows",
    "II/access-policy",
    "III/logs-carry-attributes",
    "III/policy-behaviour",
}
